// A long list read page by page with the gateway's cursor.

import { onScopeDispose, shallowRef, type ShallowRef } from 'vue'
import { whyOf } from '@/common/refusal.ts'


interface Page<T> {
  readonly items: readonly T[]
  readonly next: string | null
}

/** A search that was stopped to answer in time has short pages: ask on until so many are there. */
const ENOUGH = 30

export interface Pages<T> {
  readonly items: Readonly<ShallowRef<readonly T[]>>
  readonly busy: Readonly<ShallowRef<boolean>>
  /** There may be more. */
  readonly open: Readonly<ShallowRef<boolean>>
  readonly fault: Readonly<ShallowRef<string>>
  readonly restart: () => Promise<void>
  readonly more: () => Promise<void>
}

/** `ask` fetches the page that begins at a cursor (`null`: the first). */
export function usePages<T>(ask: (before: string | null, signal: AbortSignal) => Promise<Page<T>>): Pages<T> {
  const items = shallowRef<readonly T[]>([])
  const busy = shallowRef(false)
  const open = shallowRef(false)
  const fault = shallowRef('')
  let cursor: string | null = null
  let asking: AbortController | null = null

  async function more(): Promise<void> {
    if (busy.value) return
    const mine = new AbortController()
    asking = mine
    busy.value = true
    fault.value = ''
    const had = items.value.length
    try {
      do {
        const page = await ask(cursor, mine.signal)
        if (mine.signal.aborted) return
        items.value = [...items.value, ...page.items]
        cursor = page.next
        open.value = cursor !== null
      } while (cursor !== null && items.value.length - had < ENOUGH)
    } catch (error) {
      if (mine.signal.aborted) return
      fault.value = whyOf(error)
    } finally {
      if (asking === mine) busy.value = false
    }
  }

  async function restart(): Promise<void> {
    asking?.abort()
    busy.value = false
    items.value = []
    cursor = null
    open.value = false
    await more()
  }
  onScopeDispose(() => asking?.abort())
  return { items, busy, open, fault, restart, more }
}
