// The filters of a search: in the page's address, in the form, and as the gateway is asked. Pure.

import type { Query } from '@/api/client.ts'
import { isDay, midnight } from '@/common/format.ts'

export type Tab = 'calls' | 'orders'

const COMMON = ['q', 'from', 'to', 'line', 'agent', 'number'] as const
const OF_CALLS = ['end_reason'] as const
const OF_ORDERS = ['state', 'outcome', 'step', 'category', 'town', 'unit'] as const
/** Of a figure of a report: which one, its period to the second, and what it is told apart by. */
const OF_FIGURES = ['figure', 'since', 'until', 'place', 'source', 'category', 'unit'] as const

export type Filter = (typeof COMMON)[number] | (typeof OF_CALLS)[number] | (typeof OF_ORDERS)[number] | (typeof OF_FIGURES)[number]
/** What is asked for; what is empty does not filter. `from` and `to` are days, both included. */
export type Filters = Readonly<Partial<Record<Filter, string>>>

export function filtersOf(tab: Tab): readonly Filter[] {
  const own = tab === 'calls' ? OF_CALLS : OF_ORDERS
  return [...new Set<Filter>([...COMMON, ...own, ...OF_FIGURES])]
}

/** What a figure is told apart by, as far as the filters say so. */
export function apartBy(filters: Filters): readonly Filter[] {
  return (['agent', 'unit', 'place', 'category', 'source'] as const).filter((name) => filters[name])
}

type Address = Readonly<Record<string, unknown>>

export function tabOf(address: Address): Tab {
  return address['tab'] === 'orders' ? 'orders' : 'calls'
}

/** The filters in an address; what does not belong to its tab, or is no day where one must stand, is not taken. */
export function read(address: Address): Filters {
  const found: Partial<Record<Filter, string>> = {}
  for (const name of filtersOf(tabOf(address))) {
    const value = address[name]
    if (typeof value !== 'string' || value.trim() === '') continue
    if ((name === 'from' || name === 'to') && !isDay(value)) continue
    if ((name === 'since' || name === 'until') && !/^\d{1,11}$/.test(value)) continue
    found[name] = value.trim()
  }
  return found.figure ? found : withoutFigure(found)
}

/** The filters without those that only a figure has. */
export function withoutFigure(filters: Filters): Filters {
  const own: readonly string[] = ['figure', 'since', 'until', 'place', 'source']
  return Object.fromEntries(Object.entries(filters).filter(([name]) => !own.includes(name)))
}

/** As the address says it: nothing that is empty. */
export function address(tab: Tab, filters: Filters): Record<string, string> {
  const query: Record<string, string> = tab === 'orders' ? { tab } : {}
  for (const name of filtersOf(tab)) {
    const value = filters[name]?.trim()
    if (value) query[name] = value
  }
  return query
}

/** As the gateway is asked: days become instants of midnights in `zone`, the last day included. */
export function asked(tab: Tab, filters: Filters, zone: string): Query {
  const { from, to, since, until, ...rest } = read(address(tab, filters))
  const begin = since ? Number(since) : from && midnight(from, zone)
  return { ...rest, from: begin, to: until ? Number(until) : to && midnight(to, zone, 1) }
}
