import { describe, expect, it } from 'vitest'

import { happened } from '@/history/happened.ts'
import { address, asked, read, tabOf } from '@/history/query.ts'
import { place, share, span } from '@/history/tracks.ts'
import { hits, neighbour, sentences, spokenAt, termsOf } from '@/history/words.ts'
import type { Call, Utterance } from '@/stream/frames.ts'

function said(id: string, start: number, end: number, text: string, side: Utterance['side'] = 'caller'): Utterance {
  return { id, call_id: 'c', side, start, end, text }
}

describe('a search in the address', () => {
  it('comes back as it was written', () => {
    const filters = { q: '路灯 坏了', from: '2026-01-01', line: '12345', state: 'dead', unit: '城管局' }
    expect(read(address('orders', filters))).toEqual(filters)
    expect(tabOf(address('orders', filters))).toBe('orders')
    expect(tabOf(address('calls', {}))).toBe('calls')
  })

  it('takes nothing that is not a filter of its tab, and no day that is none', () => {
    const query = { tab: 'calls', q: ['a', 'b'], state: 'dead', from: '2026-02-30', to: 'x', evil: '1' }
    expect(read({ ...query, number: ' 138 ' })).toEqual({ number: '138' })
    expect(read({ tab: 'orders', end_reason: 'completed', town: '港区' })).toEqual({ town: '港区' })
  })

  it('asks the gateway for whole days of the house, the last included', () => {
    const filters = { from: '2026-01-31', to: '2026-01-31', q: '路灯' }
    const { from, to, ...rest } = asked('calls', filters, 'Asia/Shanghai')
    expect(rest).toEqual({ q: '路灯' })
    expect(from).toBe(Date.parse('2026-01-31T00:00+08:00') / 1000)
    expect(to).toBe(Date.parse('2026-02-01T00:00+08:00') / 1000)
    expect(asked('calls', {}, 'Asia/Shanghai')).toEqual({ from: undefined, to: undefined })
  })
})

describe('what was said', () => {
  it('is cut into words whose times lie evenly in the utterance', () => {
    const [one] = sentences([said('a', 10, 20, '路灯坏了，没人修。')])
    expect(one?.words.map((word) => word.text).join('')).toBe('路灯坏了，没人修。')
    expect(one?.words[0]?.from).toBe(10)
    expect(one?.words.at(-1)?.to).toBeCloseTo(20)
    expect(one?.words.length).toBeGreaterThan(2)
    for (const [index, word] of (one?.words ?? []).entries()) {
      expect(word.to).toBeGreaterThan(word.from)
      expect(one?.words[index + 1]?.from ?? word.to).toBeCloseTo(word.to)
      expect(word.text).toMatch(/[\p{L}\p{N}]/u)
    }
  })

  it('is in order of time, without what was taken back', () => {
    const all = sentences([said('b', 5, 6, '好'), said('x', 1, 2, ''), said('a', 3, 4, '您好', 'agent')])
    expect(all.map((one) => one.id)).toEqual(['a', 'b'])
  })

  it('shows what the search found, however it is punctuated and written', () => {
    expect(termsOf(' 路灯，坏了  ＡＢＣ 路灯坏了 ！')).toEqual(['路灯坏了', 'abc'])
    expect(hits('说路灯，坏了。', ['路灯坏了'])).toEqual([[1, 6]])
    expect(hits('ａｂc 𠮷ABC', ['abc'])).toEqual([[0, 3], [6, 9]])
    expect(hits('路灯', [''.padEnd(3, '路')])).toEqual([])
    const [one] = sentences([said('a', 0, 9, '路灯，坏了，没人修')], ['路灯坏了'])
    expect(one?.words.filter((word) => word.hit).map((word) => word.text).join('')).toBe('路灯，坏了')
  })

  it('is followed while it plays, both sides, and walked through', () => {
    const all = sentences([said('a', 0, 2, '一'), said('b', 1, 3, '二', 'agent'), said('c', 5, 6, '三')])
    expect([...spokenAt(all, 1.5)]).toEqual(['a', 'b'])
    expect([...spokenAt(all, 2)]).toEqual(['b'])
    expect(spokenAt(all, 4).size).toBe(0)
    expect(neighbour(all, 0, 1)?.id).toBe('b')
    expect(neighbour(all, 5.2, -1)?.id).toBe('b')
    expect(neighbour(all, 5.8, -1)?.id).toBe('c')
    expect(neighbour(all, 0, -1)?.id).toBe('a')
    expect(neighbour(all, 9, 1)?.id).toBe('c')
    expect(neighbour([], 0, 1)).toBeUndefined()
  })
})

describe('recordings on one axis', () => {
  const tracks = [
    { id: 'a', offset: 4, duration: 10 },
    { id: 'b', offset: 20, duration: 5 },
  ]

  it('span from the first sample to the last, not from the call’s beginning', () => {
    expect(span(tracks)).toEqual([4, 25])
    expect(span([])).toEqual([0, 0])
    expect(share(tracks, 14.5)).toBe(0.5)
    expect([share(tracks, 0), share(tracks, 99), share([], 1)]).toEqual([0, 1, 0])
  })

  it.each([
    [0, { index: 0, at: 0 }],
    [4, { index: 0, at: 0 }],
    [9.5, { index: 0, at: 5.5 }],
    [14, { index: 1, at: 0 }],
    [17, { index: 1, at: 0 }],
    [22, { index: 1, at: 2 }],
    [99, { index: 1, at: 5 }],
  ])('call time %d is at %o', (time, wanted) => {
    expect(place(tracks, time)).toEqual(wanted)
  })

  it('have no place where there are none', () => {
    expect(place([], 3)).toBeNull()
  })
})

it('an end says who hung up and why, and what has no table of its own is told', () => {
  const call: Call = {
    id: 'c', pbx: 'main', linkedid: '1', direction: 'inbound', state: 'ended', caller: { number: '139' },
    called: '12345', started_at: 100, ended_at: 170, end_reason: 'completed', ended_by: 'agent', hangup_cause: 16,
    incidents: [
      { at: 120, kind: 'recording_paused' },
      { at: 130, kind: 'recording_resumed' },
      { at: 150, kind: 'voicemail', detail: '7006@default' },
    ],
  }
  expect(happened(call).map((one) => [one.kind, one.target, one.by, one.cause])).toEqual([
    ['inbound', '12345', undefined, undefined],
    ['recording_paused', '', undefined, undefined],
    ['recording_resumed', '', undefined, undefined],
    ['voicemail', '7006@default', undefined, undefined],
    ['ended', undefined, 'agent', 16],
  ])
})

it('what happened on a call is told in order', () => {
  const call: Call = {
    id: 'c', pbx: 'main', linkedid: '1', direction: 'inbound', state: 'ended', caller: { number: '139' },
    called: '12345', started_at: 100, queue: 'q12345', queued_at: 105, ringing_at: 106, answered_at: 110,
    ended_at: 170, end_reason: 'completed', agent: '1002',
    conversations: [
      { agent: '1001', channel: 'PJSIP/1001-1', started_at: 110, ended_at: 130 },
      { agent: '1002', channel: 'PJSIP/1002-1', started_at: 131, ended_at: 170 },
    ],
    holds: [{ uniqueid: 'x', agent: '1001', started_at: 115, ended_at: 120 }],
    transfers: [
      { at: 125, transfer_type: 'attended', origin: '1001', target: '9', result: 'invalid' },
      { at: 130, transfer_type: 'blind', origin: '1001', target: '1002', result: 'success' },
    ],
  }
  expect(happened(call).map((one) => [one.kind, one.at, one.who, one.target, one.result])).toEqual([
    ['inbound', 100, undefined, '12345', undefined],
    ['queued', 105, undefined, 'q12345', undefined],
    ['ringing', 106, undefined, undefined, undefined],
    ['talk', 110, '1001', undefined, undefined],
    ['hold', 115, '1001', undefined, undefined],
    ['unhold', 120, '1001', undefined, undefined],
    ['attended', 125, '1001', '9', 'invalid'],
    ['blind', 130, '1001', '1002', undefined],
    ['talk', 131, '1002', undefined, undefined],
    ['ended', 170, undefined, undefined, 'completed'],
  ])
})
