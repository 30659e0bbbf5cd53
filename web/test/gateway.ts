// A real websocket server that speaks the stream, for the client to follow.

import type { AddressInfo } from 'node:net'

import { WebSocket, WebSocketServer } from 'ws'

import type { Agent } from './samples.ts'
import type { ClientFrame, ServerFrame } from '../src/stream/frames.ts'
import type { Socket } from '../src/stream/client.ts'

export const EPOCH = 'run-1'

/** One browser that follows, from the server's side. */
export class Follower {
  readonly socket: WebSocket
  readonly query: URLSearchParams
  readonly frames: ClientFrame[] = []

  constructor(socket: WebSocket, query: URLSearchParams) {
    this.socket = socket
    this.query = query
    socket.on('message', (data) => this.frames.push(JSON.parse(String(data)) as ClientFrame))
  }

  send(...frames: readonly ServerFrame[]): void {
    for (const frame of frames) this.socket.send(JSON.stringify(frame))
  }

  hello(heartbeat = 10, time = Date.now() / 1000): void {
    this.send({
      type: 'hello', version: 1, epoch: EPOCH, time, user: 'banzhang', role: 'supervisor', agent: null, heartbeat,
    })
  }

  snapshot(seq: number, agents: readonly Agent[]): void {
    this.send({ type: 'snapshot', seq, items: agents.map((value) => ({ topic: 'agents', key: value.id, value })) })
  }

  delta(seq: number, agents: readonly Agent[], gone: readonly string[] = []): void {
    this.send({
      type: 'delta',
      seq,
      changes: agents.map((value) => ({ topic: 'agents', key: value.id, value })),
      removals: gone.map((key) => ({ topic: 'agents', key })),
    })
  }
}

export class Gateway {
  readonly followers: Follower[] = []
  private readonly server: WebSocketServer

  private constructor(server: WebSocketServer) {
    this.server = server
    server.on('connection', (socket, request) => {
      this.followers.push(new Follower(socket, new URL(request.url ?? '/', 'ws://x').searchParams))
    })
  }

  static async open(port = 0): Promise<Gateway> {
    const server = new WebSocketServer({ host: '127.0.0.1', port })
    await new Promise((resolve) => server.once('listening', resolve))
    return new Gateway(server)
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}/`
  }

  /** The nth browser to connect, once it has. */
  async follower(n: number): Promise<Follower> {
    return until(() => this.followers[n - 1])
  }

  async close(): Promise<void> {
    for (const client of this.server.clients) client.terminate()
    await new Promise((resolve) => this.server.close(resolve))
  }
}

/** How the browser's WebSocket looks to the client, over a real one. */
export function connect(url: string): Socket {
  const socket = new WebSocket(url)
  socket.on('error', () => undefined)
  return socket as unknown as Socket
}

/** Wait for something to be there; fails after `ms`. */
export async function until<T>(what: () => T | undefined | false | null, ms = 4000): Promise<T> {
  const end = Date.now() + ms
  for (;;) {
    const now = what()
    if (now) return now
    if (Date.now() > end) throw new Error(`not so after ${ms} ms: ${what.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
