import { describe, expect, it } from 'vitest'

import { asked as historyAsked, read as historyRead, withoutFigure } from '@/history/query.ts'
import { chartOption } from '@/reports/chartOption.ts'
import {
  behind, COLUMNS, COUNTS, hotspotFilters, period, query, read, shown, usual, type Column, type Row,
} from '@/reports/report.ts'

const ZONE = 'Asia/Shanghai'
const MIDNIGHT = 1_767_196_800 // 2026-01-01 in Shanghai
const column = (name: string): Column => COLUMNS.find((one) => one.name === name) as Column
const row = (key: string | number, counts: Record<string, number> = {}, rates: Record<string, number | null> = {}): Row => ({
  key, counts, rates,
})
const asked = (more: object = {}) => ({ from: '2026-01-01', to: '2026-02-15', by: 'day' as const, line: '', ...more })

describe('what a report is asked for', () => {
  it('stands in the address', () => {
    const whole = { from: '2026-01-01', to: '2026-01-31', by: 'unit', line: '12345' }
    expect(query(read(whole, '2026-03-09'))).toEqual(whole)
  })

  it('is this month, by day, where the address says nothing that can be read', () => {
    const today = { from: '2026-03-01', to: '2026-03-09', by: 'day', line: '' }
    expect(read({}, '2026-03-09')).toEqual(today)
    expect(read({ from: '2026-02-31', to: 'x', by: 'moon', line: ['a'] }, '2026-03-09')).toEqual(today)
  })

  it('has its days in order', () => {
    expect(read({ from: '2026-03-05', to: '2026-03-01' }, '2026-03-09')).toMatchObject({ from: '2026-03-01', to: '2026-03-05' })
  })

  it('is offered with the usual days', () => {
    expect(usual('2026-03-31').map(({ from, to }) => [from, to])).toEqual([
      ['2026-03-01', '2026-03-31'], ['2026-02-01', '2026-02-28'], ['2026-01-01', '2026-03-31'], ['2025-01-01', '2025-12-31'],
    ])
    expect(usual('2026-01-05')[1]).toMatchObject({ from: '2025-12-01', to: '2025-12-31' })
  })
})

describe('what stands behind a figure', () => {
  it('is a day of a period, all of its days, or the hour to the second', () => {
    const of = (by: string, key: number) => behind(asked({ by }), row(key, { calls: 3 }), column('calls'), ZONE)?.filters
    expect(of('day', MIDNIGHT + 86_400)).toEqual({ figure: 'calls', from: '2026-01-02', to: '2026-01-02' })
    expect(of('month', MIDNIGHT)).toEqual({ figure: 'calls', from: '2026-01-01', to: '2026-01-31' })
    expect(of('month', MIDNIGHT + 31 * 86_400)).toMatchObject({ from: '2026-02-01', to: '2026-02-15' })
    expect(of('year', MIDNIGHT)).toMatchObject({ from: '2026-01-01', to: '2026-02-15' })
    const hour = of('hour', MIDNIGHT + 3600) as object
    expect(historyAsked('calls', hour, ZONE)).toMatchObject({ figure: 'calls', from: MIDNIGHT + 3600, to: MIDNIGHT + 7200 })
  })

  it('is what the rows are told apart by, and the unknown has a name', () => {
    const of = (key: string) => behind(asked({ by: 'unit', line: '12345' }), row(key, { closed: 1 }), column('closed'), ZONE)
    expect(of('住建局')).toEqual({
      tab: 'orders',
      filters: { figure: 'closed', from: '2026-01-01', to: '2026-02-15', line: '12345', unit: '住建局' },
    })
    expect(of('')?.filters).toMatchObject({ unit: '-' })
  })

  it('is, of a rate, all that it is a share of; nothing where there is none', () => {
    expect(behind(asked(), row(MIDNIGHT, { due: 2 }), column('connection_rate'), ZONE)?.filters.figure).toBe('due')
    expect(behind(asked(), row(MIDNIGHT, { due: 0 }), column('connection_rate'), ZONE)).toBeNull()
    for (const one of COLUMNS) expect(COUNTS).toHaveProperty(one.opens)
  })

  it('is read by the history, and left again with what only figures have', () => {
    const filters = historyRead({ figure: 'calls', place: '刘桥镇', since: '12', until: 'x', agent: '1001' })
    expect(filters).toEqual({ figure: 'calls', place: '刘桥镇', since: '12', agent: '1001' })
    expect(withoutFigure(filters)).toEqual({ agent: '1001' })
    expect(historyRead({ place: '刘桥镇', since: '12' })).toEqual({})
  })
})

describe('what rises in a place', () => {
  it('opens its orders, to the second', () => {
    const one = { place: '刘桥镇', category: '停水', count: 9, expected: 0.5 }
    expect(hotspotFilters({ since: 10.5, until: 20.5, items: [one] }, one)).toEqual({
      figure: 'concluded', place: '刘桥镇', category: '停水', since: '10', until: '21',
    })
  })
})

describe('figures', () => {
  it('are read as people read them', () => {
    const one = row('', { calls: 1234 }, { connection_rate: 0.98654, average_wait_s: 7.25, closure_rate: null })
    expect(['calls', 'connection_rate', 'average_wait_s', 'closure_rate', 'offered'].map((name) => shown(column(name), one))).toEqual([
      '1,234', '98.65%', '7.3', '', '',
    ])
    expect(['hour', 'day', 'month', 'year'].map((by) => period(by as 'day', MIDNIGHT, ZONE))).toEqual([
      '2026-01-01 00:00', '2026-01-01', '2026-01', '2026',
    ])
  })

  it('are drawn: periods with rates, values of a dimension lying down', () => {
    const look = { ink: '', quiet: '', edge: '', paper: '', bars: ['a'], lines: ['b'], size: 16, font: 'x' }
    const drawn = {
      labels: ['1', '2'],
      rows: [row(1, { calls: 3 }, { connection_rate: 0.5 }), row(2, {}, { connection_rate: null })],
      counts: [['calls', 'Calls']] as const,
      rates: [['connection_rate', 'Rate']] as const,
    }
    const data = (option: object) => (option as { series: { data: unknown[] }[] }).series.map((one) => one.data)
    expect(data(chartOption({ ...drawn, periods: true }, look))).toEqual([[3, 0], [50, null]])
    expect(data(chartOption({ ...drawn, periods: false }, look))).toEqual([[3, 0]])
  })
})
