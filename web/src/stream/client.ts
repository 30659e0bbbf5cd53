// The stream, followed: reconnects and resumes by itself, folds what it gets, sends commands. No framework.

import type { ClientFrame, Delta, Hello, Result, ServerFrame, Snapshot } from './frames.ts'

export type Item = Snapshot['items'][number]
export type Topic = Item['topic']
export type Value<T extends Topic> = Extract<Item, { topic: T }>['value']

/** The slice of WebSocket that is used: tests bring their own. */
export interface Socket {
  send(data: string): void
  close(code?: number): void
  onmessage: ((event: { data: unknown }) => void) | null
  onclose: ((event: { code: number; reason: string }) => void) | null
}

export interface Options {
  readonly topics?: readonly Topic[]
  /** Masked as for a big screen that everybody looks at. */
  readonly screen?: boolean
  readonly retryMaxMs?: number
  readonly commandTimeoutMs?: number
  /** Something changed: draw again. */
  readonly onChange?: (frame: Snapshot | Delta) => void
  /** Connected; `time` is the gateway's clock. */
  readonly onHello?: (hello: Hello) => void
  readonly onState?: (state: State, reason: string) => void
  readonly connect?: (url: string) => Socket
}

/** `refused`: the gateway will not have us (signed out, or a frame of ours was wrong): nothing is tried again. */
export type State = 'connecting' | 'open' | 'lost' | 'refused'

interface Pending {
  readonly resolve: (result: Result) => void
  readonly reject: (error: Error) => void
  readonly timer: ReturnType<typeof setTimeout>
}

const FOR_GOOD = new Set([4400, 4401, 4429])

/** What is to be seen now: the latest value of each key of each topic. */
export class View {
  seq: number | null = null
  epoch = ''
  private items = new Map<Topic, Map<string, unknown>>()

  apply(frame: ServerFrame): void {
    if (frame.type === 'hello') this.epoch = frame.epoch
    else if (frame.type === 'snapshot') {
      this.items = new Map()
      this.put(frame.items)
      this.seq = frame.seq
    } else if (frame.type === 'delta') {
      this.put(frame.changes)
      for (const gone of frame.removals) this.items.get(gone.topic)?.delete(gone.key)
      this.seq = frame.seq
    } else if (frame.type === 'heartbeat') this.seq = frame.seq
  }

  of<T extends Topic>(topic: T): ReadonlyMap<string, Value<T>> {
    return (this.items.get(topic) ?? new Map<string, unknown>()) as unknown as ReadonlyMap<string, Value<T>>
  }

  private put(items: readonly Item[]): void {
    for (const item of items) {
      const known = this.items.get(item.topic) ?? new Map<string, unknown>()
      known.set(item.key, item.value)
      this.items.set(item.topic, known)
    }
  }
}

export class StreamClient {
  readonly view = new View()
  state: State = 'connecting'
  private readonly url: string
  private readonly options: Options
  private socket: Socket | null = null
  private retry: ReturnType<typeof setTimeout> | null = null
  private silence: ReturnType<typeof setTimeout> | null = null
  private attempt = 0
  private over = false
  private readonly pending = new Map<string, Pending>()

  /** `url` is `stream` of GET /api/v1/session; the browser sends the session's cookie. */
  constructor(url: string, options: Options = {}) {
    this.url = url
    this.options = options
  }

  open(): void {
    this.over = false
    this.say('connecting', '')
    const make = this.options.connect ?? ((url: string): Socket => new WebSocket(url) as unknown as Socket)
    const socket = make(this.address())
    this.socket = socket
    socket.onmessage = (event) => this.take(JSON.parse(String(event.data)) as ServerFrame)
    socket.onclose = (event) => this.lost(socket, event.code, event.reason)
  }

  close(): void {
    this.over = true
    this.stopTimers()
    this.socket?.close(1000)
    this.fail('closed')
  }

  /** Ask for something. The promise fails where no answer came: ask again with the same `id`, it is done once. */
  command(
    name: string,
    args: Readonly<Record<string, unknown>> = {},
    id: string = crypto.randomUUID(),
  ): Promise<Result> {
    const socket = this.socket
    if (socket === null || this.state !== 'open') return Promise.reject(new Error('not connected'))
    const frame: ClientFrame = { type: 'command', id, name, args }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.pending.delete(id)
        reject(new Error(`no answer to ${name}`))
      }, this.options.commandTimeoutMs ?? 15_000)
      this.pending.set(id, { resolve, reject, timer })
      socket.send(JSON.stringify(frame))
    })
  }

  private address(): string {
    const url = new URL(this.url)
    if (this.view.seq !== null) {
      url.searchParams.set('epoch', this.view.epoch)
      url.searchParams.set('since', String(this.view.seq))
    }
    if (this.options.topics) url.searchParams.set('topics', this.options.topics.join(','))
    if (this.options.screen) url.searchParams.set('screen', '1')
    return url.href
  }

  private take(frame: ServerFrame): void {
    this.view.apply(frame)
    if (frame.type === 'hello') {
      this.attempt = 0
      this.heartbeatMs = frame.heartbeat * 1000
      this.options.onHello?.(frame)
      this.say('open', '')
    }
    this.listen()
    if (frame.type === 'result') {
      const asked = this.pending.get(frame.id)
      this.pending.delete(frame.id)
      if (asked) {
        clearTimeout(asked.timer)
        asked.resolve(frame)
      }
    } else if (frame.type === 'snapshot' || frame.type === 'delta') this.options.onChange?.(frame)
  }

  private heartbeatMs = 15_000

  /** Silence for two heartbeats and more means a dead connection that nobody told us of. */
  private listen(): void {
    if (this.silence !== null) clearTimeout(this.silence)
    const socket = this.socket
    this.silence = setTimeout(() => {
      socket?.close()
      if (socket !== null) this.lost(socket, 1006, 'silence')
    }, this.heartbeatMs * 2.5)
  }

  private lost(socket: Socket, code: number, reason: string): void {
    if (socket !== this.socket) return
    this.socket = null
    this.stopTimers()
    this.fail('the connection was lost before the answer')
    if (this.over) return
    if (FOR_GOOD.has(code)) {
      this.say('refused', reason)
      return
    }
    this.say('lost', reason)
    const most = Math.min(this.options.retryMaxMs ?? 15_000, 500 * 2 ** this.attempt)
    this.attempt = Math.min(this.attempt + 1, 10)
    this.retry = setTimeout(() => this.open(), most * (0.1 + 0.9 * Math.random()))
  }

  private fail(why: string): void {
    for (const asked of this.pending.values()) {
      clearTimeout(asked.timer)
      asked.reject(new Error(why))
    }
    this.pending.clear()
  }

  private stopTimers(): void {
    if (this.retry !== null) clearTimeout(this.retry)
    if (this.silence !== null) clearTimeout(this.silence)
    this.retry = this.silence = null
  }

  private say(state: State, reason: string): void {
    this.state = state
    this.options.onState?.(state, reason)
  }
}
