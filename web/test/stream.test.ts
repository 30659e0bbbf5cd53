import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { connect, EPOCH, Gateway, until } from './gateway.ts'
import { agent } from './samples.ts'
import { StreamClient, type Options, type State } from '../src/stream/client.ts'

let gateway: Gateway
let client: StreamClient
let states: State[]

beforeEach(async () => {
  gateway = await Gateway.open()
  states = []
})
afterEach(async () => {
  client.close()
  await gateway.close()
})

function follow(options: Options = {}): void {
  client = new StreamClient(gateway.url, {
    connect,
    retryMaxMs: 30,
    onState: (state) => void states.push(state),
    ...options,
  })
  client.open()
}
const names = (): string[] => [...client.view.of('agents').keys()]

describe('the stream', () => {
  it('is folded: snapshot, changes, removals', async () => {
    follow()
    const one = await gateway.follower(1)
    one.hello()
    one.snapshot(5, [agent('1001'), agent('1002')])
    one.delta(6, [agent('1003'), agent('1001', 'talking')], ['1002'])
    await until(() => client.view.seq === 6)
    expect(names()).toEqual(['1001', '1003'])
    expect(client.view.of('agents').get('1001')?.state).toBe('talking')
    expect(states).toEqual(['connecting', 'open'])
  })

  it('names the topics it wants', async () => {
    follow({ topics: ['calls', 'queues'] })
    expect((await gateway.follower(1)).query.get('topics')).toBe('calls,queues')
  })

  it('comes back by itself after a loss and asks only for what it missed', async () => {
    follow()
    const one = await gateway.follower(1)
    expect(one.query.has('since')).toBe(false)
    one.hello()
    one.snapshot(5, [agent('1001')])
    await until(() => client.view.seq === 5)
    one.socket.terminate()
    const two = await gateway.follower(2)
    expect([two.query.get('epoch'), two.query.get('since')]).toEqual([EPOCH, '5'])
    two.hello()
    two.delta(9, [agent('1002')])
    await until(() => client.view.seq === 9)
    expect(names()).toEqual(['1001', '1002'])
    expect(states).toEqual(['connecting', 'open', 'lost', 'connecting', 'open'])
  })

  it('keeps trying while the gateway is away, and follows when it is back', async () => {
    follow()
    const port = Number(new URL(gateway.url).port)
    ;(await gateway.follower(1)).hello()
    await until(() => client.state === 'open')
    await gateway.close()
    await until(() => states.filter((one) => one === 'lost').length >= 3)
    gateway = await Gateway.open(port)
    ;(await gateway.follower(1)).hello()
    await until(() => client.state === 'open')
  })

  it('takes a connection for dead that says nothing for two heartbeats and more', async () => {
    follow()
    const one = await gateway.follower(1)
    one.hello(0.04)
    one.snapshot(5, [])
    await gateway.follower(2)
    expect(states).toContain('lost')
  })

  it('stays while heartbeats come', async () => {
    follow()
    const one = await gateway.follower(1)
    one.hello(0.1)
    one.snapshot(5, [])
    for (let beat = 0; beat < 10; beat++) {
      one.send({ type: 'heartbeat', seq: 5 + beat, time: 1 })
      await new Promise((resolve) => setTimeout(resolve, 60))
    }
    expect(gateway.followers).toHaveLength(1)
    expect(client.view.seq).toBe(14)
  })

  it.each([4400, 4401, 4429])('does not come back when refused for good (%i)', async (code) => {
    follow()
    const one = await gateway.follower(1)
    one.hello()
    one.socket.close(code, 'signed out')
    await until(() => client.state === 'refused')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(gateway.followers).toHaveLength(1)
  })

  it('closes for good when told', async () => {
    follow()
    const one = await gateway.follower(1)
    one.hello()
    await until(() => client.state === 'open')
    client.close()
    await until(() => one.socket.readyState === one.socket.CLOSED)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(gateway.followers).toHaveLength(1)
  })
})

describe('a command', () => {
  async function opened(options: Options = {}): Promise<Awaited<ReturnType<Gateway['follower']>>> {
    follow(options)
    const one = await gateway.follower(1)
    one.hello()
    await until(() => client.state === 'open')
    return one
  }

  it('is answered with its own result, in whatever order', async () => {
    const one = await opened()
    const [first, second] = [client.command('pause', { reason: '小休' }), client.command('unpause')]
    const [a, b] = await until(() => (one.frames.length === 2 ? one.frames : null))
    if (a?.type !== 'command' || b?.type !== 'command') throw new Error('not commands')
    expect([a.name, a.args, b.name]).toEqual(['pause', { reason: '小休' }, 'unpause'])
    one.send({ type: 'result', id: b.id, ok: false, error: { code: 'forbidden', reason: '', params: {}, message: 'no' } })
    one.send({ type: 'result', id: a.id, ok: true, result: { reason: '小休' } })
    expect((await first).result).toEqual({ reason: '小休' })
    expect((await second).error?.code).toBe('forbidden')
  })

  it('fails where no answer comes in time', async () => {
    await opened({ commandTimeoutMs: 40 })
    await expect(client.command('pause')).rejects.toThrow('no answer to pause')
  })

  it('fails at once where the connection is lost before the answer, or there is none', async () => {
    const one = await opened()
    const asked = client.command('pause')
    one.socket.terminate()
    await expect(asked).rejects.toThrow('lost')
    await expect(client.command('pause')).rejects.toThrow('not connected')
  })
})
