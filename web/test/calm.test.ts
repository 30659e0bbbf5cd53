import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, shallowReactive, type EffectScope } from 'vue'

import { calm } from '@/wall/calm.ts'

let scope: EffectScope
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  scope = effectScope()
})
afterEach(() => {
  scope.stop()
  vi.useRealTimers()
})

describe('what follows at ease', () => {
  it('evaluates once for many changes, and never misses the last', () => {
    const numbers = shallowReactive(new Map([['a', 0]]))
    const get = vi.fn(() => [...numbers.values()].reduce((so, one) => so + one, 0))
    const total = scope.run(() => calm(get, 250))
    expect(total?.value).toBe(0)
    for (let turn = 1; turn <= 60; turn += 1) {
      numbers.set('a', turn)
      vi.advanceTimersByTime(10)
    }
    expect(get.mock.calls.length).toBeLessThanOrEqual(4)
    vi.advanceTimersByTime(250)
    expect(total?.value).toBe(60)
    // After a rest the next change shows at once.
    vi.advanceTimersByTime(1000)
    numbers.set('b', 1)
    vi.advanceTimersByTime(0)
    expect(total?.value).toBe(61)
  })

  it('ends with its component', () => {
    const numbers = shallowReactive(new Map([['a', 0]]))
    const get = vi.fn(() => numbers.size)
    scope.run(() => calm(get))
    scope.stop()
    numbers.set('b', 1)
    vi.advanceTimersByTime(1000)
    expect(get).toHaveBeenCalledOnce()
  })
})
