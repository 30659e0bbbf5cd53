// My orders that were never sent off: their calls are over, and nobody but me will do it.

import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue'

import { api } from '@/api/client.ts'
import type { OrderSummary } from '@/history/types.ts'
import { useLive } from '@/stores/live.ts'
import { useMine } from '@/stores/mine.ts'

const EVERY_MS = 60_000
const MOST = 50

export function useOpenDrafts(): Readonly<ShallowRef<readonly OrderSummary[]>> {
  const live = useLive()
  const mine = useMine()
  const drafts = shallowRef<readonly OrderSummary[]>([])

  async function ask(): Promise<void> {
    if (!mine.id) return
    try {
      const page = await api.get<{ items: readonly OrderSummary[] }>('/history/orders', {
        state: 'draft', agent: mine.id, limit: MOST,
      })
      // Passed on to a colleague, still talked about, or leaving by itself: not (yet) mine to send off.
      drafts.value = page.items.filter(
        (one) => one.agent === mine.id && !one.send_at && !(mine.live && one.call_id === mine.call?.id),
      )
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
  return drafts
}
