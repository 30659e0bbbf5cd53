import { describe, expect, it, vi } from 'vitest'

import type { UnfinishedCall } from '@/admin/types.ts'
import { LIMIT, useUnfinished } from '@/admin/unfinished.ts'
import { ApiError } from '@/api/client.ts'

function call(id: string, waits = false): UnfinishedCall {
  return { id, pbx: 'main', line: '12345', agent: '1001', started_at: 1, waits, trouble: 'no file' }
}

describe('calls that lack something', () => {
  it('are taken up one by one or all, and looked at again', async () => {
    let there = [call('a'), call('b'), call('c', true)]
    const list = vi.fn(() => Promise.resolve(there))
    const retry = vi.fn((id?: string) => {
      const opened = there.filter((one) => !one.waits && (id === undefined || one.id === id)).map((one) => one.id)
      there = there.map((one) => (opened.includes(one.id) ? { ...one, waits: true } : one))
      return Promise.resolve({ opened })
    })
    const it_ = useUnfinished({ list, retry })
    await it_.asked.ask()
    expect(list).toHaveBeenCalledWith(LIMIT)
    expect(it_.opened.value).toBeNull()
    await it_.retry('a')
    expect(it_.opened.value).toBe(1)
    expect(it_.asked.value.value?.map((one) => one.waits)).toEqual([true, false, true])
    await it_.retry()
    expect(retry).toHaveBeenLastCalledWith(undefined)
    expect(it_.asked.value.value?.every((one) => one.waits)).toBe(true)
    expect(it_.retrying.value).toBe('')
  })

  it('are asked for once, however often the button is pressed', async () => {
    let done: (answer: { opened: string[] }) => void = () => undefined
    const retry = vi.fn(() => new Promise<{ opened: string[] }>((resolve) => (done = resolve)))
    const it_ = useUnfinished({ list: () => Promise.resolve([call('a')]), retry })
    const first = it_.retry('a')
    expect(it_.retrying.value).toBe('a')
    await it_.retry('a')
    await it_.retry()
    done({ opened: ['a'] })
    await first
    expect(retry).toHaveBeenCalledTimes(1)
  })

  it('say why they were not taken up', async () => {
    const retry = (): Promise<{ opened: string[] }> => Promise.reject(new ApiError(503, 'try again'))
    const it_ = useUnfinished({ list: () => Promise.resolve([call('a')]), retry })
    await it_.retry()
    expect([it_.refusal.value, it_.opened.value, it_.retrying.value]).toEqual(['try again', null, ''])
    expect(it_.asked.value.value).toHaveLength(1)
  })
})
