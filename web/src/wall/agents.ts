// Lines with their queues, agents with their states: grouped, counted, sorted. Pure.

import type { Line } from '@/api/types.ts'
import type { AgentState, AgentStatus, Queue, Waiting } from '@/stream/frames.ts'

/** In the order in which they are shown. */
export const STATES: readonly AgentState[] = [
  'ringing', 'talking', 'on_hold', 'wrap_up', 'available', 'paused', 'unreachable', 'logged_out',
]
const RANK = new Map(STATES.map((state, rank) => [state, rank]))

export type Headcount = Readonly<Record<AgentState, number>>

function nobody(): Record<AgentState, number> {
  return Object.fromEntries(STATES.map((state) => [state, 0])) as Record<AgentState, number>
}

export interface Census {
  readonly all: Headcount
  readonly byQueue: ReadonlyMap<string, Headcount>
}

/** Agents by state, in all and by queue. */
export function census(agents: Iterable<AgentStatus>): Census {
  const all = nobody()
  const byQueue = new Map<string, Record<AgentState, number>>()
  for (const agent of agents) {
    all[agent.state] += 1
    for (const queue of agent.queues ?? []) {
      let counts = byQueue.get(queue)
      if (counts === undefined) byQueue.set(queue, (counts = nobody()))
      counts[agent.state] += 1
    }
  }
  return { all, byQueue }
}

/** Those who are at work, in whatever state. */
export function staffed(counts: Headcount): number {
  return STATES.reduce((so, state) => (state === 'logged_out' ? so : so + counts[state]), 0)
}

/** One line now, over all PBXs; `line` is null for a queue that belongs to none. */
export interface LineNow {
  readonly key: string
  readonly line: Line | null
  /** The PBX's queue name. */
  readonly queue: string
  /** The `<pbx>/<queue>` it stands for. */
  readonly queues: readonly string[]
  /** Longest first. */
  readonly waiting: readonly Waiting[]
  readonly waitingTotal: number
}

/** Lines in the configuration's order, then queues that are of no line. */
export function linesNow(lines: readonly Line[], queues: ReadonlyMap<string, Queue>): LineNow[] {
  const byQueue = new Map<string, [string, Queue][]>()
  for (const [key, queue] of queues) byQueue.set(queue.name, [...(byQueue.get(queue.name) ?? []), [key, queue]])
  const made = (line: Line | null, name: string): LineNow => {
    const parts = byQueue.get(name) ?? []
    return {
      key: line?.id ?? `queue ${name}`,
      line,
      queue: name,
      queues: parts.map(([key]) => key),
      waiting: parts.flatMap(([, queue]) => queue.waiting ?? []).sort((a, b) => a.since - b.since),
      waitingTotal: parts.reduce((so, [, queue]) => so + (queue.waiting_total ?? queue.waiting?.length ?? 0), 0),
    }
  }
  const known = new Set(lines.map((line) => line.queue))
  const others = [...byQueue.keys()].filter((name) => !known.has(name)).sort()
  return [...lines.map((line) => made(line, line.queue)), ...others.map((name) => made(null, name))]
}

/** Since when the first of all who wait does. */
export function firstWait(lines: readonly LineNow[]): number | null {
  const firsts = lines.flatMap((one) => (one.waiting[0] ? [one.waiting[0].since] : []))
  return firsts.length ? Math.min(...firsts) : null
}

export type Sorting = 'state' | 'longest' | 'name'
export type Grouping = 'none' | 'state' | 'line'

export interface Wanted {
  readonly states: ReadonlySet<AgentState>
  /** A queue's name; empty: all. */
  readonly queue: string
  /** Part of a name or an id. */
  readonly text: string
  readonly sorting: Sorting
  readonly grouping: Grouping
}

/** A line of the list: a group's heading, or an agent in that group. */
export type Row =
  | { readonly kind: 'group'; readonly key: string; readonly group: string; readonly count: number }
  | { readonly kind: 'agent'; readonly key: string; readonly id: string }

const collator = new Intl.Collator('zh-CN', { numeric: true })

function comparing(sorting: Sorting): (a: AgentStatus, b: AgentStatus) => number {
  const byId = (a: AgentStatus, b: AgentStatus): number => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
  if (sorting === 'name') return (a, b) => collator.compare(a.name, b.name) || byId(a, b)
  if (sorting === 'longest') return (a, b) => a.since - b.since || byId(a, b)
  return (a, b) => (RANK.get(a.state) ?? 0) - (RANK.get(b.state) ?? 0) || a.since - b.since || byId(a, b)
}

export function wantedAgents(agents: Iterable<AgentStatus>, wanted: Wanted): AgentStatus[] {
  const text = wanted.text.trim().toLowerCase()
  const found: AgentStatus[] = []
  for (const agent of agents) {
    if (wanted.states.size && !wanted.states.has(agent.state)) continue
    if (wanted.queue && !agent.queues?.includes(wanted.queue)) continue
    if (text && !agent.name.toLowerCase().includes(text) && !agent.id.toLowerCase().includes(text)) continue
    found.push(agent)
  }
  return found.sort(comparing(wanted.sorting))
}

/** The list as it is shown. Who serves several lines stands under each of them. */
export function roster(agents: Iterable<AgentStatus>, wanted: Wanted, queues: readonly string[]): Row[] {
  const found = wantedAgents(agents, wanted)
  if (wanted.grouping === 'none') return found.map((one) => ({ kind: 'agent', key: one.id, id: one.id }))
  const groups = new Map<string, AgentStatus[]>()
  const order: readonly string[] = wanted.grouping === 'state' ? STATES : [...queues, '']
  for (const name of order) groups.set(name, [])
  for (const agent of found) {
    const names = wanted.grouping === 'state' ? [agent.state] : agent.queues?.length ? agent.queues : ['']
    for (const name of names) {
      if (wanted.queue && wanted.grouping === 'line' && name !== wanted.queue) continue
      const group = groups.get(name)
      if (group) group.push(agent)
      else groups.set(name, [agent])
    }
  }
  return [...groups].flatMap(([group, members]): Row[] =>
    members.length === 0
      ? []
      : [
          { kind: 'group', key: `group ${group}`, group, count: members.length },
          ...members.map((one): Row => ({ kind: 'agent', key: `${group} ${one.id}`, id: one.id })),
        ],
  )
}

/** Whether two lists show the same in the same order. */
export function sameRows(a: readonly Row[], b: readonly Row[]): boolean {
  if (a.length !== b.length) return false
  return a.every((one, place) => {
    const other = b[place]
    if (one.key !== other?.key) return false
    return one.kind === 'agent' || (other.kind === 'group' && other.count === one.count)
  })
}

/** A list that stands still while somebody points at it: who is gone leaves, who is new comes last. */
export function heldRows(held: readonly Row[], now: readonly Row[]): Row[] {
  const current = new Map(now.map((row) => [row.key, row]))
  const kept = held.flatMap((row) => {
    const still = current.get(row.key)
    current.delete(row.key)
    return still ? [still] : []
  })
  return [...kept, ...current.values()]
}
