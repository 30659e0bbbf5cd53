// My orders that wait for me: never sent off, or sent back by whoever was to deal with them.

import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue'

import { api } from '@/api/client.ts'
import type { OrderSummary } from '@/history/types.ts'
import { useLive } from '@/stores/live.ts'
import { useMine } from '@/stores/mine.ts'

const EVERY_MS = 60_000
const MOST = 50

export interface WaitingOrders {
  readonly drafts: Readonly<ShallowRef<readonly OrderSummary[]>>
  readonly returned: Readonly<ShallowRef<readonly OrderSummary[]>>
}

/** Sent back, and not sent anew since. */
export function isReturned(order: OrderSummary): boolean {
  return order.status?.step === 'returned' && (order.submitted_at ?? 0) < order.status.received_at
}

export function useOpenDrafts(): WaitingOrders {
  const live = useLive()
  const mine = useMine()
  const drafts = shallowRef<readonly OrderSummary[]>([])
  const returned = shallowRef<readonly OrderSummary[]>([])

  async function own(what: Readonly<Record<string, string>>): Promise<readonly OrderSummary[]> {
    const page = await api.get<{ items: readonly OrderSummary[] }>('/history/orders', {
      ...what, agent: mine.id, limit: MOST,
    })
    // Passed on to a colleague, or still talked about: not (yet) mine to send off.
    return page.items.filter((one) => one.agent === mine.id && !(mine.live && one.call_id === mine.call?.id))
  }
  async function ask(): Promise<void> {
    if (!mine.id) return
    try {
      const [open, back] = await Promise.all([own({ state: 'draft' }), own({ step: 'returned' })])
      // What leaves by itself needs nobody.
      drafts.value = open.filter((one) => !one.send_at)
      returned.value = back.filter(isReturned)
    } catch {
      // They are asked for again soon; what is known stays in sight.
    }
  }
  const timer = setInterval(() => void ask(), EVERY_MS)
  onScopeDispose(() => clearInterval(timer))
  watch(
    () => [live.ready, mine.live, mine.order?.id, mine.order?.state, !mine.order?.send_at] as const,
    ([ready]) => void (ready && ask()),
    { immediate: true },
  )
  return { drafts, returned }
}
