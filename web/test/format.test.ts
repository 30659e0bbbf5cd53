import { describe, expect, it } from 'vitest'

import { dateTime, isDay, midnight, timeOfDay } from '@/common/format.ts'

const at = (iso: string): number => Date.parse(iso) / 1000

describe('times', () => {
  it('are told by the clock of the zone named, whatever the browser’s is', () => {
    const instant = at('2026-01-31T16:05:09Z')
    expect(dateTime(instant, 'Asia/Shanghai')).toBe('2026-02-01 00:05:09')
    expect(dateTime(instant, 'America/New_York')).toBe('2026-01-31 11:05:09')
    expect(timeOfDay(at('2026-01-31T16:00:00Z'), 'Asia/Shanghai')).toBe('00:00:00')
  })

  it('begin their days at midnight there, also on days of 23 and 25 hours', () => {
    expect(midnight('2026-01-31', 'Asia/Shanghai')).toBe(at('2026-01-31T00:00+08:00'))
    expect(midnight('2026-01-31', 'Asia/Shanghai', 1)).toBe(at('2026-02-01T00:00+08:00'))
    // New York turns its clocks on 8 March and 1 November 2026.
    expect(midnight('2026-03-08', 'America/New_York')).toBe(at('2026-03-08T00:00-05:00'))
    expect(midnight('2026-03-08', 'America/New_York', 1)).toBe(at('2026-03-09T00:00-04:00'))
    expect(midnight('2026-11-01', 'America/New_York')).toBe(at('2026-11-01T00:00-04:00'))
    expect(midnight('2026-11-01', 'America/New_York', 1)).toBe(at('2026-11-02T00:00-05:00'))
  })

  it.each(['2026-1-1', '2026-02-30', '2026-13-01', '', 'today'])('%o is no day', (text) => {
    expect(isDay(text)).toBe(false)
    expect(midnight(text, 'Asia/Shanghai')).toBeNull()
  })
})
