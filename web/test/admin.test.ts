import { describe, expect, it } from 'vitest'

import type { AlarmRule, ApiToken, Finding } from '@/admin/types.ts'
import { argsText, bySeverity, gradeOf, threshold, tokenState } from '@/admin/words.ts'

function rule(more: Partial<AlarmRule>): AlarmRule {
  return {
    id: 'r', name: 'r', measure: 'waiting', above: null, below: null, for_s: 0, level: 'warning', lines: [],
    reasons: [], min_offered: 0, ...more,
  }
}

describe('what administrators read', () => {
  it.each([
    [{ measure: 'waiting', above: 5 }, '> 5'],
    [{ measure: 'available', below: 1 }, '< 1'],
    [{ measure: 'service_level', below: 0.8 }, '< 80%'],
    [{ measure: 'abandon_rate', above: 0.075 }, '> 7.5%'],
    [{ measure: 'paused', above: 900 }, '> 900 s'],
    [{ measure: 'available', above: 0 }, '> 0'],
  ] as const)('a threshold %o is %s', (more, text) => {
    expect(threshold(rule(more))).toBe(text)
  })

  it('are the arguments of an entry, also of one that was cut off', () => {
    expect(argsText('{"call": "c1", "filters": {"q": "路灯"}}')).toBe('call: c1, filters: {"q":"路灯"}')
    expect(argsText('{"q": "路')).toBe('{"q": "路')
    expect(argsText('{}')).toBe('')
    expect(argsText('null')).toBe('null')
  })

  it.each([
    [{}, 'valid'],
    [{ expires_at: 101 }, 'valid'],
    [{ expires_at: 100 }, 'expired'],
    [{ expires_at: 101, revoked_at: 5 }, 'revoked'],
  ] as const)('a token %o is %s', (more, state) => {
    const token: ApiToken = {
      id: 'a', name: 'a', owner: '', scopes: [], lines: [], created_at: 1, created_by: 'g', expires_at: null,
      revoked_at: null, last_used_at: null, ...more,
    }
    expect(tokenState(token, 100)).toBe(state)
  })

  it('is what needs a hand first', () => {
    const found = (what: string, ok: boolean, warning = false): Finding => {
      const said = { code: '', text: what }
      return { what: said, ok, warning, detail: said, fix: null }
    }
    const all = [found('a', true), found('b', true, true), found('c', false), found('d', true)]
    expect(bySeverity(all).map((one) => one.what.text)).toEqual(['c', 'b', 'a', 'd'])
    expect(all.map(gradeOf)).toEqual(['fine', 'warning', 'fault', 'fine'])
  })
})
