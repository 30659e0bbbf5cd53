// What both forms of the wall show, from the live picture: lines, the day's figures, agents by state.

import { computed, type ComputedRef, type ShallowRef } from 'vue'

import { useLive } from '@/stores/live.ts'
import { useSession } from '@/stores/session.ts'
import type { AgentStatus } from '@/stream/frames.ts'
import { calm } from '@/wall/calm.ts'
import { curves, jointTarget, sum, type Curves, type QueueFigures, type Sum } from '@/wall/figures.ts'
import { census, linesNow, type Census, type LineNow } from '@/wall/agents.ts'

const SERVICE_LEVEL_TARGET = 0.8
/** `<pbx>/<queue>/<number of the interval>` */
const INTERVAL = /^(?!agent\/).+\/\d+$/

export interface Wall {
  readonly lines: ComputedRef<readonly LineNow[]>
  /** Today so far, by the line's key. */
  readonly days: ComputedRef<ReadonlyMap<string, Sum>>
  /** Everybody, for what is counted and sorted; a row follows its own agent at once. */
  readonly people: Readonly<ShallowRef<readonly AgentStatus[]>>
  readonly agents: ComputedRef<Census>
  readonly curves: ComputedRef<Curves>
  readonly target: ComputedRef<number>
}

/** `only`: the queue whose curves are wanted; empty: all together. */
export function useWall(only: () => string = () => ''): Wall {
  const live = useLive()
  const session = useSession()

  const lines = computed(() => linesNow(session.me?.lines ?? [], live.topic('queues')))
  const people = calm(() => [...live.topic('agents').values()])
  const agents = computed(() => census(people.value))

  function figures(key: string): QueueFigures[] {
    const found = live.topic('figures').get(key)
    return found ? [found as unknown as QueueFigures] : []
  }
  const days = computed(
    () =>
      new Map(
        lines.value.map((one) => [one.key, sum(one.queues.flatMap((queue) => figures(`${queue}/day`)))] as const),
      ),
  )
  // The keys come and go seldom; each value is followed alone: an agent's figures draw no curve anew.
  const intervals = computed(() => [...live.topic('figures').keys()].filter((key) => INTERVAL.test(key)))
  const wanted = computed(() => {
    const queue = only()
    return curves(intervals.value.flatMap(figures).filter((one) => !queue || one.queue === queue))
  })
  const target = computed(() => {
    const queue = only()
    const parts = lines.value.flatMap((one) =>
      one.line && (!queue || one.queue === queue) ? [{ line: one.line, due: days.value.get(one.key)?.due ?? 0 }] : [],
    )
    return parts.length ? jointTarget(parts, 'service_level_target') : SERVICE_LEVEL_TARGET
  })
  return { lines, days, people, agents, curves: wanted, target }
}
