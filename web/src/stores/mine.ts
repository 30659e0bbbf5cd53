// What the desk is about: my agent, my call and what was said on it. One place that says which call that is.

import { defineStore } from 'pinia'
import { computed, shallowRef, watch } from 'vue'

import { api } from '@/api/client.ts'
import { saidOn } from '@/common/transcript.ts'
import type { Heard } from '@/history/types.ts'
import { useLive } from '@/stores/live.ts'
import { useSession } from '@/stores/session.ts'
import type { AgentStatus, Call, Leg, Order, Utterance } from '@/stream/frames.ts'

interface Opened {
  readonly call: Call
  readonly said: readonly Utterance[]
  readonly orders: readonly Order[]
}

/** A call that ended so long ago is no longer shown to somebody who opens the desk. */
const RECENT_S = 600

/** The call a desk shows: the one the agent is on, else the newest of theirs from outside. */
export function callOf(agent: AgentStatus | undefined, id: string, calls: Iterable<Call>): Call | undefined {
  let newest: Call | undefined
  for (const call of calls) {
    if (agent?.call_id === call.id) return call
    if (call.agent !== id || call.direction !== 'inbound' || call.merged_into || call.consults) continue
    if (newest === undefined || call.started_at > newest.started_at) newest = call
  }
  return newest
}

/** The orders of a call, one for each matter, by number. */
export function ordersOf(callId: string | undefined, orders: Iterable<Order>): readonly Order[] {
  const own = [...orders].filter((one) => one.call_id === callId)
  return own.sort((a, b) => (a.number ?? 1) - (b.number ?? 1))
}

/** My own leg of a call. */
export function legOf(call: Call | undefined, id: string): Leg | undefined {
  return call?.legs?.filter((leg) => leg.agent === id && !leg.ended_at).at(-1)
}

/** Whom I consult (or still ring up) while the other party of my call waits; null: nobody. As the gateway's commands see it. */
export function consulted(call: Call | undefined, id: string): Leg | null {
  const parties = (call?.legs ?? []).filter((leg) => !leg.ended_at && !leg.channel.startsWith('Local/'))
  const bridges = new Set(parties.map((leg) => leg.bridge).filter(Boolean))
  const mine = parties.find((leg) => leg.agent === id)
  const first = Math.min(...parties.filter((leg) => leg.agent).map((leg) => leg.created_at))
  if (bridges.size < 2 || !mine?.bridge || mine.created_at > first) return null
  const asked = parties.filter((leg) => leg !== mine && leg.created_at > mine.created_at)
  return asked.find((leg) => leg.bridge === mine.bridge) ?? asked.at(-1) ?? null
}

export const useMine = defineStore('mine', () => {
  const stream = useLive()
  const session = useSession()
  const id = computed(() => session.me?.agent ?? '')
  const agent = computed(() => stream.topic('agents').get(id.value))
  /** What I telephone with; undefined: not known yet. */
  const kind = computed(() => agent.value?.kind)
  /** As it was last seen: the stream lets go of a call half a minute after its end, the desk at the next one. */
  const kept = shallowRef<{ readonly call: Call; readonly said: readonly Utterance[] } | null>(null)
  const streamed = computed(() => callOf(agent.value, id.value, stream.topic('calls').values()))
  /** A call that is over, opened again for its orders; the next one takes its place. */
  const opened = shallowRef<Opened | null>(null)
  /** The order that was chosen, of those of the call; empty: the first. */
  const chosen = shallowRef('')
  const call = computed(() => opened.value?.call ?? streamed.value ?? kept.value?.call)
  const live = computed(() => streamed.value !== undefined && streamed.value.state !== 'ended')
  const leg = computed(() => legOf(call.value, id.value))
  const heard = computed(() => {
    const about = streamed.value?.id
    return about === undefined ? [] : saidOn(stream, about)
  })
  const said = computed<readonly Utterance[]>(
    () => opened.value?.said ?? (streamed.value ? heard.value : (kept.value?.said ?? [])),
  )
  const orders = computed<readonly Order[]>(() => {
    const streamed = [...stream.topic('orders').values()]
    // What the stream tells is newer than what was asked for.
    const known = new Map([...(opened.value?.orders ?? []), ...streamed].map((one) => [one.id, one]))
    return ordersOf(call.value?.id, known.values())
  })
  const order = computed(() => orders.value.find((one) => one.id === chosen.value) ?? orders.value[0])
  watch([streamed, heard], ([now, words]) => {
    if (now) kept.value = { call: now, said: words }
  })
  watch(id, () => (kept.value = opened.value = null))
  watch(() => live.value && streamed.value?.id, (now) => {
    if (now) opened.value = null
  })

  /** Open an order of an earlier call again, with its call. Throws `ApiError`. */
  async function open(callId: string, orderId: string): Promise<void> {
    const was = await api.get<Heard>(`/calls/${encodeURIComponent(callId)}`)
    if (!was.orders.length || live.value) return
    opened.value = { call: was.call, said: was.utterances, orders: was.orders }
    chosen.value = orderId
  }

  /** The order as the gateway just answered it: one whose call the stream has let go of is not told again. */
  function took(now: Order): void {
    if (opened.value?.call.id !== now.call_id) return
    const others = opened.value.orders.filter((one) => one.id !== now.id)
    opened.value = { ...opened.value, orders: [...others, now] }
  }

  /** Open another order for my call, and choose it; `begins`: where its matter begins in the call. Throws `ApiError`. */
  async function addOrder(begins: number | null): Promise<void> {
    const last = orders.value.at(-1)
    if (!last) return
    const made = await api.post<Order>('/orders', { call_id: last.call_id, number: (last.number ?? 1) + 1, begins })
    took(made)
    chosen.value = made.id
  }
  function choose(orderId: string): void {
    chosen.value = orderId
  }

  /** Whoever opens the desk in wrap-up, or with an order not yet sent off, finds the call it is about. */
  async function recall(): Promise<void> {
    if (call.value || !id.value) return
    const [last] = await api.get<readonly Call[]>('/calls', { limit: 1 })
    if (!last || last.agent !== id.value || stream.now() - (last.ended_at ?? stream.now()) > RECENT_S) return
    const unsent = [...stream.topic('orders').values()].some((one) => one.call_id === last.id && one.state === 'draft')
    if (agent.value?.state !== 'wrap_up' && !unsent) return
    const { utterances } = await api.get<{ utterances: readonly Utterance[] }>(`/calls/${encodeURIComponent(last.id)}`)
    if (!call.value) kept.value = { call: last, said: utterances }
  }

  const consultation = computed(() => consulted(streamed.value, id.value))

  return {
    id, agent, kind, call, live, leg, said, orders, order, consultation, recall, open, took, addOrder, choose,
  }
})
