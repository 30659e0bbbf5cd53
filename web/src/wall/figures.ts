// Figures of the day as the wall shows them: summed over queues, judged by their targets, in curves. Pure.

import type { Line } from '@/api/types.ts'

/** What is counted of one queue in a span (docs/metrics.md). */
export interface Counts {
  readonly offered: number
  readonly answered: number
  readonly answered_in_time: number
  readonly abandoned: number
  readonly short_abandoned: number
  readonly timeout: number
  readonly other: number
  readonly longest_wait_s: number
}

export interface QueueFigures extends Counts {
  readonly pbx: string
  readonly queue: string
  readonly line: string | null
  /** POSIX seconds; `end` is not in it. */
  readonly start: number
  readonly end: number
  readonly interval: number | null
}

/** Several queues' figures of one span as one. Shares are 0..1, `null` where there is nothing to divide by. */
export interface Sum extends Counts {
  /** Who waited long enough to be served, and whose end is known. */
  readonly due: number
  readonly serviceLevel: number | null
  readonly connectionRate: number | null
}

export function sum(all: readonly Counts[]): Sum {
  const of = (name: keyof Counts): number => all.reduce((so, one) => so + one[name], 0)
  const counts = {
    offered: of('offered'),
    answered: of('answered'),
    answered_in_time: of('answered_in_time'),
    abandoned: of('abandoned'),
    short_abandoned: of('short_abandoned'),
    timeout: of('timeout'),
    other: of('other'),
    longest_wait_s: Math.max(0, ...all.map((one) => one.longest_wait_s)),
  }
  const due = counts.answered + counts.abandoned + counts.timeout + counts.other
  return {
    ...counts,
    due,
    serviceLevel: due ? counts.answered_in_time / due : null,
    connectionRate: due ? counts.answered / due : null,
  }
}

export type Tone = 'good' | 'warn' | 'bad' | 'none'

/** Missed by up to this share of all callers, a target is nearly met. */
const NEARLY = 0.05

/** How a share stands to its target. */
export function shareTone(share: number | null, target: number): Tone {
  if (share === null) return 'none'
  // Half a hundredth of a per cent: what is shown as 98.65 % is 98.65 %.
  if (share >= target - 0.00005) return 'good'
  return share >= target - NEARLY ? 'warn' : 'bad'
}

/** How long a caller may wait: within the line's service level, up to three times that, longer. */
export function waitTone(seconds: number, serviceLevelS: number): Tone {
  if (seconds <= serviceLevelS) return 'good'
  return seconds <= 3 * serviceLevelS ? 'warn' : 'bad'
}

type Target = 'service_level_target' | 'connection_target'

/** One target for several lines: each counts by its calls, all alike while there are none. */
export function jointTarget(parts: readonly { readonly line: Line; readonly due: number }[], which: Target): number {
  const calls = parts.reduce((so, one) => so + one.due, 0)
  const weight = (due: number): number => (calls ? due / calls : 1 / parts.length)
  return parts.reduce((so, one) => so + one.line[which] * weight(one.due), 0)
}

/** A share as people read it: `98.65%`, `100%`, `–`. */
export function percent(share: number | null, digits = 1): string {
  if (share === null) return '–'
  return `${Number((share * 100).toFixed(digits))}%`
}

export interface Curves {
  /** When each interval begins, POSIX seconds. */
  readonly starts: readonly number[]
  readonly offered: readonly number[]
  readonly answered: readonly number[]
  readonly abandoned: readonly number[]
  readonly serviceLevel: readonly (number | null)[]
}

/** The day's curves of some queues together; intervals without any call are there too. */
export function curves(figures: readonly QueueFigures[]): Curves {
  const intervals = figures.filter((one) => one.interval !== null)
  const first = intervals[0]
  const sums: Sum[] = []
  const starts: number[] = []
  if (first) {
    const length = first.end - first.start
    const from = Math.min(...intervals.map((one) => one.start))
    const to = Math.max(...intervals.map((one) => one.start))
    for (let start = from; start <= to; start += length) {
      starts.push(start)
      sums.push(sum(intervals.filter((one) => one.start === start)))
    }
  }
  return {
    starts,
    offered: sums.map((one) => one.offered),
    answered: sums.map((one) => one.answered),
    abandoned: sums.map((one) => one.abandoned),
    serviceLevel: sums.map((one) => one.serviceLevel),
  }
}

/** One row of GET /figures/places. */
export interface Place {
  readonly town: string
  readonly village: string | null
  readonly count: number
  readonly categories: Readonly<Record<string, number>>
}

export interface Town {
  readonly town: string
  readonly count: number
  /** The village most orders are about, where orders name one. */
  readonly village: string | null
  readonly categories: readonly { readonly name: string; readonly count: number }[]
}

/** The towns most orders are about, with what they are about, the most frequent first. */
export function hotTowns(places: readonly Place[], most: number, categories = 3): Town[] {
  const towns = new Map<string, Place[]>()
  for (const place of places) towns.set(place.town, [...(towns.get(place.town) ?? []), place])
  return [...towns]
    .map(([town, parts]) => {
      const counted = new Map<string, number>()
      for (const part of parts) {
        for (const [name, count] of Object.entries(part.categories)) counted.set(name, (counted.get(name) ?? 0) + count)
      }
      const villages = parts.filter((one) => one.village !== null).sort((a, b) => b.count - a.count)
      return {
        town,
        count: parts.reduce((so, one) => so + one.count, 0),
        village: villages[0]?.village ?? null,
        categories: [...counted]
          .map(([name, count]) => ({ name, count }))
          .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1))
          .slice(0, categories),
      }
    })
    .sort((a, b) => b.count - a.count || (a.town < b.town ? -1 : 1))
    .slice(0, most)
}
