import { describe, expect, it } from 'vitest'

import type { Line } from '@/api/types.ts'
import type { Alarm, AgentStatus, Alert, Queue } from '@/stream/frames.ts'
import { curvesOption } from '@/wall/curvesOption.ts'
import {
  curves, hotTowns, jointTarget, percent, shareTone, sum, waitTone,
  type Counts, type QueueFigures,
} from '@/wall/figures.ts'
import {
  census, firstWait, heldRows, linesNow, roster, sameRows, staffed,
  type Row, type Wanted,
} from '@/wall/agents.ts'
import { growingSince, loudest, measured, notices } from '@/wall/notices.ts'
import { allowed } from '@/wall/supervision.ts'

const counted = (more: Partial<Counts>): Counts => ({
  offered: 0, answered: 0, answered_in_time: 0, abandoned: 0, short_abandoned: 0, timeout: 0, other: 0,
  longest_wait_s: 0, ...more,
})
const line = (id: string, queue: string, more: Partial<Line> = {}): Line => ({
  id, name: id, numbers: [], queue, digit: '', form: 'general', colour: '#000000', service_level_s: 15,
  service_level_target: 0.8, connection_target: 0.95, timezone: 'Asia/Shanghai', ...more,
})
const agent = (id: string, more: Partial<AgentStatus> = {}): AgentStatus => ({
  id, name: `坐席${id}`, phone: `PJSIP/${id}`, state: 'available', since: 0, queues: ['q12345'], ...more,
})
const wanted = (more: Partial<Wanted> = {}): Wanted => ({
  states: new Set(), queue: '', text: '', sorting: 'state', grouping: 'none', ...more,
})
const ids = (rows: readonly Row[]): string[] => rows.map((row) => (row.kind === 'agent' ? row.id : `[${row.group}]`))

describe('the figures of several queues', () => {
  it('are summed before they are divided', () => {
    const busy = counted({ offered: 100, answered: 90, answered_in_time: 60, abandoned: 10, longest_wait_s: 30 })
    const quiet = counted({ offered: 3, answered: 1, answered_in_time: 1, short_abandoned: 1, timeout: 1 })
    const both = sum([busy, quiet])
    expect(both.due).toBe(102) // the short abandon is nobody who could have been served
    expect(both.connectionRate).toBeCloseTo(91 / 102)
    expect(both.serviceLevel).toBeCloseTo(61 / 102)
    expect(both.longest_wait_s).toBe(30)
  })

  it('have no rates while nobody called', () => {
    expect(sum([])).toMatchObject({ offered: 0, due: 0, serviceLevel: null, connectionRate: null, longest_wait_s: 0 })
  })

  it('are held to a target that weighs each line by its calls', () => {
    const [strict, lax] = [line('a', 'qa', { connection_target: 0.99 }), line('b', 'qb', { connection_target: 0.89 })]
    expect(jointTarget([{ line: strict, due: 90 }, { line: lax, due: 10 }], 'connection_target')).toBeCloseTo(0.98)
    expect(jointTarget([{ line: strict, due: 0 }, { line: lax, due: 0 }], 'connection_target')).toBeCloseTo(0.94)
  })
})

describe('what is told by colour', () => {
  it.each([
    [0.9865, 0.9865, 'good'],
    [0.98646, 0.9865, 'good'], // shown as 98.65 %
    [0.9864, 0.9865, 'warn'],
    [0.94, 0.9865, 'warn'],
    [0.93, 0.9865, 'bad'],
    [null, 0.9865, 'none'],
  ] as const)('a share of %s against %s is %s', (share, target, tone) => {
    expect(shareTone(share, target)).toBe(tone)
  })

  it.each([
    [0, 'good'],
    [15, 'good'],
    [16, 'warn'],
    [45, 'warn'],
    [46, 'bad'],
  ] as const)('%s s of waiting is %s', (seconds, tone) => {
    expect(waitTone(seconds, 15)).toBe(tone)
  })

  it('is written in as few digits as it needs', () => {
    expect([percent(0.98654, 2), percent(1, 2), percent(0.5), percent(null)]).toEqual(['98.65%', '100%', '50%', '–'])
  })
})

describe('the curves', () => {
  const at = (queue: string, interval: number | null, more: Partial<Counts>): QueueFigures => ({
    ...counted(more), pbx: 'main', queue, line: null, interval,
    start: 1800 * (interval ?? 0), end: interval === null ? 86_400 : 1800 * (interval + 1),
  })
  const drawn = curves([
    at('a', 18, { offered: 4, answered: 3, answered_in_time: 2, abandoned: 1 }),
    at('a', null, { offered: 99 }),
    at('b', 20, { offered: 2, answered: 2, answered_in_time: 2 }),
    at('b', 18, { offered: 1, answered: 1, answered_in_time: 1 }),
  ])

  it('add the queues up interval by interval, gaps included, and leave the day out', () => {
    expect(drawn.starts).toEqual([18, 19, 20].map((one) => one * 1800))
    expect(drawn.offered).toEqual([5, 0, 2])
    expect(drawn.answered).toEqual([4, 0, 2])
    expect(drawn.abandoned).toEqual([1, 0, 0])
    expect(drawn.serviceLevel).toEqual([3 / 5, null, 1])
    expect(curves([]).starts).toEqual([])
  })

  it('become a chart with the target drawn in', () => {
    const words = { offered: 'O', answered: 'A', abandoned: 'X', serviceLevel: 'S' }
    const paint = { ...words, ink: '', quiet: '', edge: '', paper: '', size: 16, font: 'serif' }
    const { series } = curvesOption(drawn, 0.8, words, paint, 'Asia/Shanghai') as {
      series: { name: string; data: unknown[]; markLine?: { data: unknown[] } }[]
    }
    expect(series.map((one) => one.name)).toEqual(['O', 'A', 'X', 'S'])
    expect(series[3]?.data).toEqual([60, null, 100])
    expect(series[3]?.markLine?.data).toEqual([{ yAxis: 80 }])
  })
})

describe('the hot places', () => {
  it('are towns with their villages added up, what most is about first', () => {
    const towns = hotTowns(
      [
        { town: '川姜镇', village: '志浩村', count: 3, categories: { 噪声: 2, 供水: 1 } },
        { town: '平潮镇', village: null, count: 4, categories: { 道路: 4 } },
        { town: '川姜镇', village: null, count: 2, categories: { 供水: 2 } },
      ],
      5,
      1,
    )
    expect(towns).toEqual([
      { town: '川姜镇', count: 5, village: '志浩村', categories: [{ name: '供水', count: 3 }] },
      { town: '平潮镇', count: 4, village: null, categories: [{ name: '道路', count: 4 }] },
    ])
    expect(hotTowns([], 5)).toEqual([])
  })
})

describe('the lines', () => {
  const waiting = (since: number): NonNullable<Queue['waiting']>[number] => ({
    call_id: `c${since}`, uniqueid: `u${since}`, position: 1, since,
  })
  const queues = new Map<string, Queue>([
    ['a/qb', { name: 'qb', pbx: 'a', line: 'b', waiting: [waiting(20)], waiting_total: 1 }],
    ['b/qb', { name: 'qb', pbx: 'b', line: 'b', waiting: [waiting(10)], waiting_total: 7 }],
    ['a/else', { name: 'else', pbx: 'a', line: null }],
  ])
  const now = linesNow([line('a', 'qa'), line('b', 'qb')], queues)

  it('are those configured, over all PBXs, then queues of no line', () => {
    expect(now.map((one) => [one.queue, one.line?.id, one.waitingTotal])).toEqual([
      ['qa', 'a', 0], ['qb', 'b', 8], ['else', undefined, 0],
    ])
    expect(now[1]?.queues).toEqual(['a/qb', 'b/qb'])
  })

  it('show who waits longest first', () => {
    expect(now[1]?.waiting.map((one) => one.since)).toEqual([10, 20])
    expect(firstWait(now)).toBe(10)
    expect(firstWait([])).toBeNull()
  })
})

describe('the agents', () => {
  const people = [
    agent('1', { since: 50 }),
    agent('2', { state: 'talking', since: 40, queues: ['q12345', 'yiqilai'] }),
    agent('3', { state: 'talking', since: 10, name: '王芳' }),
    agent('4', { state: 'logged_out', since: 1, queues: [] }),
  ]

  it('are counted by state, in all and in each queue', () => {
    const { all, byQueue } = census(people)
    expect([all.talking, all.available, all.logged_out, all.paused]).toEqual([2, 1, 1, 0])
    expect(byQueue.get('yiqilai')?.talking).toBe(1)
    expect(staffed(all)).toBe(3)
  })

  it('are sorted by state and, within it, by how long', () => {
    expect(ids(roster(people, wanted(), []))).toEqual(['3', '2', '1', '4'])
    expect(ids(roster(people, wanted({ sorting: 'longest' }), []))).toEqual(['4', '3', '2', '1'])
    expect(ids(roster([agent('10'), agent('9')], wanted({ sorting: 'name' }), []))).toEqual(['9', '10'])
  })

  it('are filtered by state, line, and part of name or id', () => {
    expect(ids(roster(people, wanted({ states: new Set(['available', 'logged_out']) }), []))).toEqual(['1', '4'])
    expect(ids(roster(people, wanted({ queue: 'yiqilai' }), []))).toEqual(['2'])
    expect(ids(roster(people, wanted({ text: ' 王' }), []))).toEqual(['3'])
    expect(ids(roster(people, wanted({ text: '4' }), []))).toEqual(['4'])
  })

  it('are grouped by state or by line, under each of their lines', () => {
    expect(ids(roster(people, wanted({ grouping: 'state' }), []))).toEqual([
      '[talking]', '3', '2', '[available]', '1', '[logged_out]', '4',
    ])
    const byLine = roster(people, wanted({ grouping: 'line' }), ['yiqilai', 'q12345'])
    expect(ids(byLine)).toEqual(['[yiqilai]', '2', '[q12345]', '3', '2', '1', '[]', '4'])
    expect(new Set(byLine.map((row) => row.key)).size).toBe(byLine.length)
    expect(ids(roster(people, wanted({ grouping: 'line', queue: 'yiqilai' }), []))).toEqual(['[yiqilai]', '2'])
  })

  it('stand still while somebody points at them', () => {
    const before = roster(people, wanted(), [])
    const changed = [agent('5'), agent('3', { state: 'ringing' }), agent('1', { state: 'ringing' }), agent('4')]
    expect(ids(heldRows(before, roster(changed, wanted(), [])))).toEqual(['3', '1', '4', '5'])
    expect(sameRows(before, roster(people, wanted(), []))).toBe(true)
    expect(sameRows(before, before.slice(1))).toBe(false)
    const [one, more] = [1, 2].map((count): Row[] => [{ kind: 'group', key: 'g', group: 'g', count }]) as [Row[], Row[]]
    expect(sameRows(one, more)).toBe(false)
  })
})

describe('what must be noticed', () => {
  const alarm = (id: string, more: Partial<Alarm> = {}): Alarm => ({
    id, rule: id, name: id, measure: 'waiting', level: 'warning', value: 6, threshold: 5, since: 10, pbx: 'main',
    ...more,
  })
  const alert: Alert = { call_id: 'c', order_id: 'o', line: '12345', agent: null, at: 5, quote: '', confidence: 1 }
  const alarms = [alarm('w'), alarm('newer', { since: 20 }), alarm('c', { level: 'critical', since: 1 })]

  it('comes in order of urgency, then the newest first', () => {
    const all = notices([alert], alarms, new Set())
    expect(all.map((one) => one.key)).toEqual(['alert c 5', 'alarm c 1', 'alarm newer 20', 'alarm w 10'])
    expect(loudest(all)).toBe('life')
  })

  it('goes down and silent when it is acknowledged, until it is raised anew', () => {
    const seen = new Set(['alert c 5', 'alarm c 1', 'alarm w 10'])
    const all = notices([alert], alarms, seen)
    expect(all.map((one) => one.key)).toEqual(['alarm newer 20', 'alert c 5', 'alarm c 1', 'alarm w 10'])
    expect(loudest(all)).toBe('warning')
    expect(loudest(notices([], [alarm('w')], seen))).toBeNull()
    expect(loudest(notices([], [alarm('w', { since: 30 })], seen))).toBe('warning')
  })

  it('tells what is measured now: durations grow by themselves, the rest stands as told', () => {
    expect(growingSince(alarm('w', { measure: 'longest_wait', latest: 90, latest_at: 1000 }))).toBe(910)
    expect(growingSince(alarm('w', { measure: 'waiting', latest: 9, latest_at: 1000 }))).toBeNull()
    expect(growingSince(alarm('w', { measure: 'abandon_rate', latest: 0.2, latest_at: 1000 }))).toBeNull()
  })

  it('tells its value in the unit of its measure', () => {
    expect([measured('waiting', 6), measured('longest_wait', 61), measured('abandon_rate', 0.0512)]).toEqual([
      '6', '01:01', '5.12%',
    ])
  })
})

describe('what a supervisor can do', () => {
  const mine = { seat: '9001', hearing: false }
  const talking = agent('1', { state: 'talking', call_id: 'c' })

  it('needs a conversation of somebody else, and a phone', () => {
    for (const action of ['listen', 'whisper', 'barge', 'takeOver'] as const) {
      expect(allowed(action, talking, mine)).toBe(true)
      expect(allowed(action, talking, { seat: null, hearing: false })).toBe(false)
      expect(allowed(action, talking, { seat: '1', hearing: false })).toBe(false)
      expect(allowed(action, agent('1', { state: 'ringing', call_id: 'c' }), mine)).toBe(false)
      expect(allowed(action, null, mine)).toBe(false)
    }
  })

  it('ends listening only while there is something to end', () => {
    expect(allowed('stop', null, mine)).toBe(false)
    expect(allowed('stop', null, { ...mine, hearing: true })).toBe(true)
  })

  it('forces a state without a phone, where that changes anything', () => {
    const none = { seat: null, hearing: false }
    expect(allowed('forcePause', talking, none)).toBe(true)
    expect(allowed('forcePause', agent('1', { state: 'paused' }), none)).toBe(false)
    expect(allowed('forceLogOut', agent('1', { state: 'paused' }), none)).toBe(true)
    expect(allowed('forceLogOut', agent('1', { state: 'logged_out' }), none)).toBe(false)
  })
})
