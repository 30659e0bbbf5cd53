import { effectScope } from 'vue'
import { describe, expect, it, vi } from 'vitest'

import { ApiError } from '@/api/client.ts'
import { usePages } from '@/common/usePages.ts'

interface Answer {
  items: number[]
  next: string | null
}
const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, at) => from + at)

function paged(ask: (before: string | null, signal: AbortSignal) => Promise<Answer>) {
  const scope = effectScope()
  const pages = scope.run(() => usePages(ask))
  if (!pages) throw new Error('no scope')
  return { pages, end: () => scope.stop() }
}

describe('a list read page by page', () => {
  it('follows empty and short pages to where there is something, and stops there', async () => {
    const answers: Record<string, Answer> = {
      '': { items: [], next: 'a' },
      a: { items: [1, 2], next: 'b' },
      b: { items: range(3, 40), next: 'c' },
      c: { items: [43], next: null },
    }
    const ask = vi.fn((before: string | null) => Promise.resolve(answers[before ?? ''] as Answer))
    const { pages } = paged(ask)
    await pages.restart()
    expect(pages.items.value).toEqual(range(1, 42))
    expect([pages.open.value, ask.mock.calls.length]).toEqual([true, 3])
    await pages.more()
    expect(pages.items.value).toEqual(range(1, 43))
    expect(pages.open.value).toBe(false)
  })

  it('keeps what it has when a page fails, and goes on from there', async () => {
    let fails = false
    const { pages } = paged((before) => {
      if (fails) return Promise.reject(new ApiError(503, 'the database is away'))
      return Promise.resolve(before ? { items: [99], next: null } : { items: range(0, 30), next: 'a' })
    })
    await pages.restart()
    fails = true
    await pages.more()
    expect([pages.items.value.length, pages.fault.value, pages.busy.value]).toEqual([30, 'the database is away', false])
    fails = false
    await pages.more()
    expect([pages.items.value.length, pages.fault.value]).toEqual([31, ''])
  })

  it('shows nothing of a search that another one overtook', async () => {
    const waiting: ((answer: Answer) => void)[] = []
    const { pages } = paged(() => new Promise((resolve) => waiting.push(resolve)))
    const first = pages.restart()
    const second = pages.restart()
    waiting[1]?.({ items: [2], next: null })
    await second
    waiting[0]?.({ items: [1], next: null })
    await first
    expect(pages.items.value).toEqual([2])
    expect(pages.busy.value).toBe(false)
  })
})
