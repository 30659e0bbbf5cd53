// The calls that lack their recording, transcript or order, and taking them up again.

import { shallowRef, type ShallowRef } from 'vue'

import type { UnfinishedCall } from '@/admin/types.ts'
import { useAsked, type Asked } from '@/admin/useAsked.ts'
import { whyOf } from '@/common/refusal.ts'

export interface Gateway {
  list(limit: number): Promise<UnfinishedCall[]>
  /** One call, or all that lack something; the ids of those taken up. */
  retry(id?: string): Promise<{ readonly opened: readonly string[] }>
}

export interface Unfinished {
  readonly asked: Asked<UnfinishedCall[]>
  /** What is being taken up: a call's id, `*` for all, empty for nothing. */
  readonly retrying: Readonly<ShallowRef<string>>
  /** How many calls the last request took up; null before the first. */
  readonly opened: Readonly<ShallowRef<number | null>>
  readonly refusal: Readonly<ShallowRef<string>>
  readonly retry: (id?: string) => Promise<void>
}

export const LIMIT = 200

export function useUnfinished(gateway: Gateway): Unfinished {
  const asked = useAsked(() => gateway.list(LIMIT))
  const retrying = shallowRef('')
  const opened = shallowRef<number | null>(null)
  const refusal = shallowRef('')

  async function retry(id?: string): Promise<void> {
    if (retrying.value) return // a second press while the first is under way
    retrying.value = id ?? '*'
    refusal.value = ''
    try {
      opened.value = (await gateway.retry(id)).opened.length
    } catch (error) {
      opened.value = null
      refusal.value = whyOf(error)
    } finally {
      retrying.value = ''
    }
    await asked.ask()
  }
  return { asked, retrying, opened, refusal, retry }
}
