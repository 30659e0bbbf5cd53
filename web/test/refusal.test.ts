// @vitest-environment happy-dom
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it } from 'vitest'

import { failedWhy } from '@/admin/words.ts'
import { ApiError } from '@/api/client.ts'
import { i18n, setLanguage } from '@/app/i18n.ts'
import { saidIn, whyOf } from '@/common/refusal.ts'
import doctor from '@/i18n/en/doctor.ts'
import failed from '@/i18n/en/failed.ts'
import refused from '@/i18n/en/refused.ts'
import adminZh from '@/i18n/zh/admin.ts'
import doctorZh from '@/i18n/zh/doctor.ts'
import failedZh from '@/i18n/zh/failed.ts'

const CHINESE = /[\u4e00-\u9fff]/
const LEFT = /\{\w+\}|\{'/

/** Each slot of a sentence filled with its own name. */
function filled(sentence: string): Record<string, string> {
  return Object.fromEntries([...sentence.matchAll(/\{(\w+)\}/g)].map(([, slot = '']) => [slot, slot.toUpperCase()]))
}

function* catalogue(): Generator<[area: string, code: string, sentence: string]> {
  for (const [code, sentence] of Object.entries(refused)) yield ['refused', code, sentence]
  for (const [code, sentence] of Object.entries(failed)) yield ['failed', code, sentence]
  for (const [part, sentences] of Object.entries(doctor)) {
    for (const [code, sentence] of Object.entries(sentences)) yield [`doctor.${part}`, code, sentence]
  }
}

beforeEach(() => {
  setActivePinia(createPinia())
  i18n.global.mergeLocaleMessage('zh', { admin: adminZh, doctor: doctorZh, failed: failedZh })
})

describe('what the gateway says', () => {
  it('is said in the language chosen, whatever the code, with nothing left unfilled', async () => {
    for (const language of ['zh', 'en'] as const) {
      await setLanguage(language)
      for (const [area, code, sentence] of catalogue()) {
        const text = saidIn(area, { code, params: filled(sentence), text: 'fallback' })
        expect(text, code).not.toBe('fallback')
        expect(text, code).not.toMatch(LEFT)
        // A sentence that is its parameters alone has no language.
        if (/[a-z]/.test(sentence.replace(/\{\w+\}/g, ''))) expect(CHINESE.test(text), text).toBe(language === 'zh')
      }
    }
  })

  it('follows the language as a refusal', async () => {
    const error = new ApiError(409, 'agent 1002 is talking', {
      reason: 'target_busy', params: { agent: '1002', state: 'talking' },
    })
    await setLanguage('zh')
    expect(whyOf(error)).toBe('坐席 1002 状态为“通话”；请另选坐席，或转到线路队列')
    await setLanguage('en')
    expect(whyOf(error)).toBe("agent 1002 is talking; choose another, or the line's queue")
  })

  it('tells why a delivery failed, and that it was given up', async () => {
    const last = { code: 'no_answer', params: { seconds: '5' }, text: 'no answer within 5 s' }
    const over = {
      ...last, params: { ...last.params, given_up_after: 8 }, text: 'given up after 8 tries; the last: no answer within 5 s',
    }
    await setLanguage('zh')
    expect([null, last, over].map(failedWhy)).toEqual(['', '5 秒内无应答', '尝试 8 次后放弃：5 秒内无应答'])
    // What an earlier version kept has no code.
    expect(failedWhy({ code: '', text: 'HTTP 410: gone' })).toBe('HTTP 410: gone')
    await setLanguage('en')
    expect(failedWhy(over)).toBe('given up after 8 tries: no answer within 5 s')
  })

  it('is its own English where we do not know the code, and never a template of the caller’s', async () => {
    await setLanguage('zh')
    expect(whyOf(new ApiError(409, 'something new', { reason: 'brand_new' }))).toBe('something new')
    const hostile = new ApiError(404, '', { reason: 'order_unknown', params: { order: "{order} @:app.product | x" } })
    expect(whyOf(hostile)).toBe("没有工单 {order} @:app.product | x")
  })

  it('is said where there was no answer at all', async () => {
    await setLanguage('zh')
    expect(whyOf(new ApiError(0, 'Failed to fetch'))).toBe('网关没有应答')
    expect(whyOf(new ApiError(0, 'closed', { code: 'no_answer' }))).toContain('请看当前状态')
  })
})
