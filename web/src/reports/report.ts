// A report: what is asked for, in the page's address and as the gateway is asked; and what stands behind its
// figures. Pure.

import { dateTime, isDay } from '@/common/format.ts'
import type { Filters, Tab } from '@/history/query.ts'

export const BYS = ['day', 'month', 'year', 'hour', 'line', 'agent', 'unit', 'place', 'category', 'source'] as const
export type By = (typeof BYS)[number]
export const PERIODS: readonly By[] = ['hour', 'day', 'month', 'year']

/** Each count, and on which page of the history its calls or orders are. */
export const COUNTS: Readonly<Record<string, Tab>> = {
  offered: 'calls',
  due: 'calls',
  answered: 'calls',
  answered_in_time: 'calls',
  abandoned: 'calls',
  calls: 'calls',
  talks: 'calls',
  numbered: 'calls',
  repeated: 'calls',
  concluded: 'orders',
  direct: 'orders',
  handed: 'orders',
  closed: 'orders',
  deadlines: 'orders',
  closed_in_time: 'orders',
  returned: 'orders',
  rated: 'orders',
  satisfied: 'orders',
  asked: 'orders',
  resolved: 'orders',
}

export interface Column {
  /** A count or a rate, as the gateway calls it. */
  readonly name: string
  readonly kind: 'count' | 'share' | 'seconds'
  /** The count whose calls or orders it opens: of a rate, all that it is a share of. */
  readonly opens: string
}

const count = (name: string): Column => ({ name, kind: 'count', opens: name })
const share = (name: string, opens: string): Column => ({ name, kind: 'share', opens })

export const COLUMNS: readonly Column[] = [
  count('offered'),
  count('answered'),
  share('connection_rate', 'due'),
  share('service_level', 'due'),
  { name: 'average_wait_s', kind: 'seconds', opens: 'answered' },
  { name: 'average_talk_s', kind: 'seconds', opens: 'talks' },
  count('calls'),
  count('repeated'),
  share('repeat_rate', 'numbered'),
  count('direct'),
  share('direct_rate', 'concluded'),
  count('handed'),
  count('closed'),
  share('closure_rate', 'handed'),
  share('on_time_rate', 'deadlines'),
  count('returned'),
  share('return_rate', 'handed'),
  share('satisfaction_rate', 'rated'),
  share('resolution_rate', 'asked'),
]
export const RATES = COLUMNS.filter((one) => one.kind !== 'count')

export interface Row {
  /** A value, empty where it is not known; or when the period begins, POSIX seconds. */
  readonly key: string | number
  readonly counts: Readonly<Record<string, number>>
  readonly rates: Readonly<Record<string, number | null>>
}

export interface Report {
  readonly from: string
  readonly to: string
  readonly by: By
  readonly line: string | null
  readonly rows: readonly Row[]
  readonly total: Row
  /** Changes that are not counted yet. */
  readonly waiting: number
}

export interface Asked {
  /** Days, both included. */
  readonly from: string
  readonly to: string
  readonly by: By
  readonly line: string
}

/** What an address asks for; without days, of this month up to today. */
export function read(address: Readonly<Record<string, unknown>>, today: string): Asked {
  const day = (name: string): string => {
    const value = address[name]
    return typeof value === 'string' && isDay(value) ? value : ''
  }
  const to = day('to') || today
  const from = day('from') || `${to.slice(0, 8)}01`
  const by = BYS.find((one) => one === address['by']) ?? 'day'
  const line = typeof address['line'] === 'string' ? address['line'] : ''
  return from <= to ? { from, to, by, line } : { from: to, to: from, by, line }
}

/** As the gateway is asked, and as the address says it. */
export function query(asked: Asked): Record<string, string> {
  return { from: asked.from, to: asked.to, by: asked.by, ...(asked.line && { line: asked.line }) }
}

/** Some days in a row that people often ask for, up to today. */
export function usual(today: string): readonly { readonly id: string; readonly from: string; readonly to: string }[] {
  const [year, month] = [Number(today.slice(0, 4)), Number(today.slice(5, 7))]
  const day = (of: Date): string => of.toISOString().slice(0, 10)
  const at = (y: number, m: number, d: number): string => day(new Date(Date.UTC(y, m, d)))
  return [
    { id: 'month', from: at(year, month - 1, 1), to: today },
    { id: 'lastMonth', from: at(year, month - 2, 1), to: at(year, month - 1, 0) },
    { id: 'year', from: at(year, 0, 1), to: today },
    { id: 'lastYear', from: at(year - 1, 0, 1), to: at(year - 1, 11, 31) },
  ]
}

/** A period's name: `2026-01-31`, `2026-01`, `2026`, `2026-01-31 08:00`. */
export function period(by: By, start: number, zone: string): string {
  return dateTime(start, zone).slice(0, { hour: 16, day: 10, month: 7, year: 4 }[by as 'day'] ?? 10)
}

/** Where the history shows exactly the calls or orders behind a figure; `null`: there are none, or too many kinds. */
export function behind(
  asked: Asked,
  row: Row | null,
  column: Column,
  zone: string,
): { tab: Tab; filters: Filters } | null {
  const of = row?.counts ?? {}
  if (row !== null && !of[column.opens]) return null
  const filters: Record<string, string> = { figure: column.opens, from: asked.from, to: asked.to }
  if (asked.line) filters['line'] = asked.line
  if (row !== null && typeof row.key === 'number') Object.assign(filters, within(asked, row.key, zone))
  else if (row !== null) filters[asked.by] = String(row.key) || '-'
  return { tab: COUNTS[column.opens] ?? 'calls', filters: filters as Filters }
}

/** The days of a period, as far as they were asked for; an hour, to the second. */
function within(asked: Asked, start: number, zone: string): Record<string, string> {
  if (asked.by === 'hour') return { since: String(start), until: String(start + 3600) }
  const first = period('day', start, zone)
  const next = new Date(`${first}T00:00:00Z`)
  if (asked.by === 'month') next.setUTCMonth(next.getUTCMonth() + 1)
  if (asked.by === 'year') next.setUTCFullYear(next.getUTCFullYear() + 1)
  if (asked.by !== 'day') next.setUTCDate(next.getUTCDate() - 1)
  const last = next.toISOString().slice(0, 10)
  return { from: first < asked.from ? asked.from : first, to: last > asked.to ? asked.to : last }
}

/** A figure as it is read; empty: there is nothing to divide by, or nothing is counted by this. */
export function shown(column: Column, row: Row): string {
  if (column.kind === 'count') return row.counts[column.name]?.toLocaleString('en') ?? ''
  const value = row.rates[column.name]
  if (value === null || value === undefined) return ''
  return column.kind === 'share' ? `${(value * 100).toFixed(2)}%` : value.toFixed(1)
}

export interface Hotspot {
  readonly place: string
  readonly category: string
  readonly count: number
  /** By the same hours of the weeks before. */
  readonly expected: number
}
export interface Hotspots {
  /** POSIX seconds. */
  readonly since: number
  readonly until: number
  readonly items: readonly Hotspot[]
}

/** Where the history shows the orders of what rises. */
export function hotspotFilters(found: Hotspots, one: Hotspot): Filters {
  const [since, until] = [Math.floor(found.since), Math.ceil(found.until)].map(String) as [string, string]
  return { figure: 'concluded', place: one.place, category: one.category, since, until }
}
