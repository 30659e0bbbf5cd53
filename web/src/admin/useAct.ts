// One act of an administrator at a time: done, told, and what the page shows read anew.

import { shallowRef, type ShallowRef } from 'vue'

import { whyOf } from '@/common/refusal.ts'

export interface Acting {
  readonly busy: Readonly<ShallowRef<boolean>>
  /** What was done last; empty: nothing, or it was refused. */
  readonly done: ShallowRef<string>
  /** Why it was not done. */
  readonly refusal: ShallowRef<string>
  /** Do it, say that it is done or why not, and read anew. Enter twice is one act. */
  readonly act: (what: () => Promise<unknown>, said: string) => Promise<void>
}

export function useAct(readAnew: () => Promise<unknown>): Acting {
  const busy = shallowRef(false)
  const done = shallowRef('')
  const refusal = shallowRef('')

  async function act(what: () => Promise<unknown>, said: string): Promise<void> {
    if (busy.value) return
    busy.value = true
    done.value = refusal.value = ''
    try {
      await what()
      done.value = said
    } catch (error) {
      refusal.value = whyOf(error)
    }
    await readAnew()
    busy.value = false
  }
  return { busy, done, refusal, act }
}
