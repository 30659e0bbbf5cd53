// @vitest-environment happy-dom
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, watchEffect, type EffectScope } from 'vue'

import { connect, Gateway, until, type Follower } from './gateway.ts'
import { agent } from './samples.ts'
import { useLive } from '../src/stores/live.ts'

let gateway: Gateway
let one: Follower
let frames: (() => void)[]
let scope: EffectScope
let live: ReturnType<typeof useLive>

/** Draw the next frame, as the browser would. */
function draw(): void {
  for (const frame of frames.splice(0)) frame()
}
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30))

beforeEach(async () => {
  setActivePinia(createPinia())
  frames = []
  vi.stubGlobal('requestAnimationFrame', (frame: () => void) => frames.push(frame))
  vi.stubGlobal('cancelAnimationFrame', () => undefined)
  scope = effectScope()
  gateway = await Gateway.open()
  live = useLive()
  live.start(gateway.url, { connect })
  one = await gateway.follower(1)
  one.hello(10, Date.now() / 1000 + 3600)
  one.snapshot(1, [agent('1001'), agent('1002')])
  await until(() => frames.length > 0)
  draw()
})
afterEach(async () => {
  scope.stop()
  live.stop()
  await gateway.close()
  vi.unstubAllGlobals()
})

/** How often what `read` reads made it run again. */
function runs(read: () => unknown): () => number {
  let count = 0
  scope.run(() =>
    watchEffect(
      () => {
        read()
        count += 1
      },
      { flush: 'sync' },
    ),
  )
  return () => count - 1
}

describe('the live picture', () => {
  it('is there once the first snapshot is drawn', () => {
    expect(live.ready).toBe(true)
    expect(live.state).toBe('open')
    expect([...live.topic('agents').keys()]).toEqual(['1001', '1002'])
  })

  it('costs one change a key and frame, however many deltas come', async () => {
    const changed = runs(() => live.topic('agents').get('1001'))
    for (let seq = 2; seq <= 200; seq++) one.delta(seq, [agent('1001', seq % 2 ? 'talking' : 'ringing', seq)])
    await until(() => frames.length > 0)
    await settled()
    expect(frames).toHaveLength(1)
    expect(changed()).toBe(0)
    draw()
    expect(changed()).toBe(1)
    expect(live.topic('agents').get('1001')?.since).toBe(200)
  })

  it('touches only what changed: another key, the list of keys and another topic rest', async () => {
    const other = runs(() => live.topic('agents').get('1002'))
    const keys = runs(() => [...live.topic('agents').keys()])
    const calls = runs(() => [...live.topic('calls').values()])
    one.delta(2, [agent('1001', 'talking')])
    await until(() => frames.length > 0)
    draw()
    expect([other(), keys(), calls()]).toEqual([0, 0, 0])
    one.delta(3, [agent('1003')], ['1002'])
    await until(() => frames.length > 0)
    draw()
    expect(other()).toBe(1)
    expect(keys()).toBeGreaterThan(0)
    expect([...live.topic('agents').keys()]).toEqual(['1001', '1003'])
  })

  it('forgets what a new snapshot no longer has', async () => {
    one.snapshot(50, [agent('1002', 'paused')])
    await until(() => frames.length > 0)
    draw()
    expect([...live.topic('agents')].map(([key, value]) => [key, value.state])).toEqual([['1002', 'paused']])
  })

  it('follows all the same where no frames are drawn', async () => {
    one.delta(2, [agent('1001', 'talking')])
    await until(() => live.topic('agents').get('1001')?.state === 'talking')
    expect(frames).toHaveLength(1)
    draw()
    expect(live.topic('agents').get('1001')?.state).toBe('talking')
  })

  it('goes by the gateway’s clock', () => {
    expect(live.now() - Date.now() / 1000).toBeCloseTo(3600, 0)
  })

  it('is empty once stopped', () => {
    live.stop()
    expect([...live.topic('agents').keys()]).toEqual([])
    expect(live.ready).toBe(false)
  })

  it('asks who we are when the connection is lost', async () => {
    const asked = vi.fn()
    live.start(gateway.url, { connect, onLost: asked })
    ;(await gateway.follower(2)).socket.terminate()
    await until(() => asked.mock.calls.length > 0)
  })

  it('passes commands on, and the gateway’s refusal with its code', async () => {
    const asked = live.command('pause', { reason: '小休' })
    const frame = await until(() => one.frames[0])
    if (frame.type !== 'command') throw new Error('not a command')
    one.send({ type: 'result', id: frame.id, ok: false, error: { code: 'forbidden', reason: '', params: {}, message: 'not yours' } })
    await expect(asked).rejects.toMatchObject({ code: 'forbidden', detail: 'not yours' })
    live.stop()
    await expect(live.command('pause')).rejects.toMatchObject({ code: 'no_answer' })
  })
})
