// One answer of the gateway, asked for anew on demand.

import { onMounted, onUnmounted, shallowRef, type ShallowRef } from 'vue'

import { whyOf } from '@/common/refusal.ts'

const AGAIN_MS = 3000

export interface Asked<T> {
  readonly value: Readonly<ShallowRef<T | null>>
  readonly busy: Readonly<ShallowRef<boolean>>
  readonly fault: Readonly<ShallowRef<string>>
  readonly ask: () => Promise<void>
}

/** What was there stays until the new answer is. */
export function useAsked<T>(fetch: () => Promise<T>): Asked<T> {
  const value = shallowRef<T | null>(null)
  const busy = shallowRef(false)
  const fault = shallowRef('')
  let latest = 0

  async function ask(): Promise<void> {
    const mine = ++latest
    busy.value = true
    try {
      const found = await fetch()
      if (mine !== latest) return
      value.value = found
      fault.value = ''
    } catch (error) {
      if (mine === latest) fault.value = whyOf(error)
    } finally {
      if (mine === latest) busy.value = false
    }
  }
  return { value, busy, fault, ask }
}

/** Asks as the component comes into sight, and again every few seconds while it is seen. */
export function useFresh(asked: Asked<unknown>): void {
  let timer: ReturnType<typeof setInterval>
  onMounted(() => {
    void asked.ask()
    timer = setInterval(() => {
      if (!document.hidden && !asked.busy.value) void asked.ask()
    }, AGAIN_MS)
  })
  onUnmounted(() => clearInterval(timer))
}
