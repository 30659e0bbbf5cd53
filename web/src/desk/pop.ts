// The screen-pop, asked for once the phone rings and kept while the call is shown.

import { shallowRef, watch, type Ref, type ShallowRef } from 'vue'

import { api } from '@/api/client.ts'
import type { OrderStatus } from '@/api/types.ts'
import { whyOf } from '@/common/refusal.ts'

export interface PopAlert {
  readonly kind: 'vip' | 'blacklist' | 'repeat'
  /** Repeat callers: the how manieth call this is, within so many days. */
  readonly count: number | null
  readonly days: number | null
}

export interface ScreenPop {
  readonly call_id: string
  readonly caller: { readonly number: string; readonly name: string; readonly place?: string; readonly carrier?: string }
  readonly person: { readonly name: string; readonly organisation: string; readonly level: string; readonly note: string } | null
  readonly enterprise: { readonly name: string; readonly credit_code?: string; readonly town?: string } | null
  readonly ivr: readonly { readonly name: string; readonly label: string; readonly value: string }[]
  readonly calls: readonly {
    readonly id: string
    readonly started_at: number
    readonly line: string | null
    readonly agent: string | null
    readonly end_reason: string | null
    readonly title?: string
    readonly order_id: string | null
  }[]
  readonly orders: readonly {
    readonly id: string
    readonly created_at: number
    readonly line: string
    readonly state: string
    readonly title?: string
    readonly category?: string
    readonly town?: string
    /** `call`, or where the matter came from. */
    readonly source?: string
    readonly external_id: string | null
    readonly outcome?: string | null
    readonly status?: OrderStatus | null
  }[]
  readonly alerts: readonly PopAlert[]
}

export function useScreenPop(callId: Ref<string | undefined>): { pop: ShallowRef<ScreenPop | null>; problem: ShallowRef<string> } {
  const pop = shallowRef<ScreenPop | null>(null)
  const problem = shallowRef('')
  watch(callId, async (id) => {
    pop.value = null
    problem.value = ''
    if (!id) return
    try {
      const found = await api.get<ScreenPop>(`/calls/${encodeURIComponent(id)}/pop`)
      if (callId.value === id) pop.value = found
    } catch (error) {
      if (callId.value === id) problem.value = whyOf(error)
    }
  }, { immediate: true })
  return { pop, problem }
}
