// Alarms and life-safety alerts, as one list of what a supervisor must notice. Pure.

import { duration } from '@/common/format.ts'
import type { Alarm, Alert, Measure } from '@/stream/frames.ts'
import { percent } from '@/wall/figures.ts'

export type Urgency = 'life' | 'critical' | 'warning'
export const URGENCIES: readonly Urgency[] = ['life', 'critical', 'warning']

interface Common {
  /** The same trouble keeps it; raised anew it has another, and must be acknowledged anew. */
  readonly key: string
  readonly urgency: Urgency
  readonly since: number
  readonly acknowledged: boolean
}
export type AlarmNotice = Common & { readonly kind: 'alarm'; readonly alarm: Alarm }
export type AlertNotice = Common & { readonly kind: 'alert'; readonly alert: Alert }
export type Notice = AlarmNotice | AlertNotice

/** What is not acknowledged first, then the most urgent, then the newest. */
export function notices(
  alerts: Iterable<Alert>,
  alarms: Iterable<Alarm>,
  acknowledged: ReadonlySet<string>,
): Notice[] {
  const all: Notice[] = []
  for (const alert of alerts) {
    const key = `alert ${alert.call_id} ${alert.at}`
    all.push({ kind: 'alert', key, urgency: 'life', since: alert.at, acknowledged: acknowledged.has(key), alert })
  }
  for (const alarm of alarms) {
    const key = `alarm ${alarm.id} ${alarm.since}`
    const common = { key, urgency: alarm.level, since: alarm.since, acknowledged: acknowledged.has(key) }
    all.push({ kind: 'alarm', ...common, alarm })
  }
  return all.sort(
    (a, b) =>
      Number(a.acknowledged) - Number(b.acknowledged) ||
      URGENCIES.indexOf(a.urgency) - URGENCIES.indexOf(b.urgency) ||
      b.since - a.since ||
      (a.key < b.key ? -1 : 1),
  )
}

/** The most urgent of what nobody has acknowledged; `null`: nothing. */
export function loudest(all: readonly Notice[]): Urgency | null {
  return URGENCIES.find((urgency) => all.some((one) => !one.acknowledged && one.urgency === urgency)) ?? null
}

const SHARES: ReadonlySet<Measure> = new Set(['service_level', 'connection_rate', 'abandon_rate'])
const NUMBERS: ReadonlySet<Measure> = new Set(['waiting', 'available', 'rejected_facts'])

/** Since when a duration has grown to what it is now; `null`: no duration, `latest` is what it is. */
export function growingSince(alarm: Alarm): number | null {
  if (SHARES.has(alarm.measure) || NUMBERS.has(alarm.measure)) return null
  return (alarm.latest_at ?? alarm.since) - (alarm.latest ?? alarm.value)
}

/** A measured value in its unit: callers, shares of 1, seconds. */
export function measured(measure: Measure, value: number): string {
  if (SHARES.has(measure)) return percent(value, 2)
  if (NUMBERS.has(measure)) return String(value)
  // Before a deadline, seconds are negative.
  return value < 0 ? `-${duration(-value)}` : duration(value)
}
