// The stream's picture, reactive. Frames are folded at once by the client's own view; the reactive maps follow
// at most once an animation frame, and only the keys that changed, in their latest state.

import { defineStore } from 'pinia'
import { shallowReactive, shallowRef } from 'vue'

import { ApiError } from '@/api/client.ts'
import { StreamClient, type Socket, type State, type Topic, type Value } from '@/stream/client.ts'
import type { Delta, Hello, Result, Snapshot } from '@/stream/frames.ts'

/** How often the maps follow where no frames are drawn (the tab is hidden). */
const HIDDEN_MS = 250

interface Options {
  /** The connection is lost or refused: a browser is not told whether because we are signed out, so ask. */
  readonly onLost?: () => void
  readonly connect?: (url: string) => Socket
  /** Masked as for a big screen. */
  readonly screen?: boolean
}

/** Run `work` once at the next animation frame, however often it is asked for before. */
export function oncePerFrame(work: () => void): () => void {
  let due = false
  const run = (): void => {
    due = false
    work()
  }
  return () => {
    if (due) return
    due = true
    if (typeof document === 'undefined' || document.hidden) setTimeout(run, HIDDEN_MS)
    else {
      // Whoever hides the tab just now gets no frame: the timer then does it.
      const timer = setTimeout(() => {
        cancelAnimationFrame(frame)
        run()
      }, HIDDEN_MS)
      const frame = requestAnimationFrame(() => {
        clearTimeout(timer)
        run()
      })
    }
  }
}

export const useLive = defineStore('live', () => {
  let client: StreamClient | null = null
  const maps = new Map<Topic, Map<string, unknown>>()
  const dirty = new Map<Topic, Set<string>>()
  let replaced = false

  const state = shallowRef<State>('connecting')
  /** Whether the first snapshot has come: an empty map means "none" only then. */
  const ready = shallowRef(false)
  /** The gateway's clock minus this machine's, seconds. */
  const offset = shallowRef(0)

  function mapOf(topic: Topic): Map<string, unknown> {
    let map = maps.get(topic)
    if (map === undefined) {
      map = shallowReactive(new Map<string, unknown>())
      maps.set(topic, map)
    }
    return map
  }

  /**
   * The latest value of each key of a topic, reactive key by key: `topic('agents').get(id)` follows that agent alone,
   * `.keys()` only comings and goings, `.values()` everything.
   */
  function topic<T extends Topic>(name: T): ReadonlyMap<string, Value<T>> {
    return mapOf(name) as unknown as ReadonlyMap<string, Value<T>>
  }

  function flush(): void {
    const view = client?.view
    if (!view) return
    if (replaced) {
      for (const [name, map] of maps) {
        const now = view.of(name)
        for (const key of map.keys()) if (!now.has(key)) map.delete(key)
      }
    }
    for (const [name, keys] of dirty) {
      const map = mapOf(name)
      const now = view.of(name)
      for (const key of keys) {
        const value = now.get(key)
        if (value === undefined) map.delete(key)
        else map.set(key, value)
      }
    }
    dirty.clear()
    replaced = false
    ready.value = true
  }
  const flushSoon = oncePerFrame(flush)

  function mark(name: Topic, key: string): void {
    const keys = dirty.get(name)
    if (keys === undefined) dirty.set(name, new Set([key]))
    else keys.add(key)
  }

  function take(frame: Snapshot | Delta): void {
    if (frame.type === 'snapshot') {
      replaced = true
      for (const item of frame.items) mark(item.topic, item.key)
    } else {
      for (const item of frame.changes) mark(item.topic, item.key)
      for (const gone of frame.removals) mark(gone.topic, gone.key)
    }
    flushSoon()
  }

  /** Follow the stream at `url` (the session's) until `stop`. */
  function start(url: string, options: Options = {}): void {
    stop()
    client = new StreamClient(url, {
      onChange: take,
      onHello: (hello: Hello) => (offset.value = hello.time - Date.now() / 1000),
      onState: (now) => {
        state.value = now
        if (now === 'lost' || now === 'refused') options.onLost?.()
      },
      screen: options.screen ?? false,
      ...(options.connect && { connect: options.connect }),
    })
    client.open()
  }

  function stop(): void {
    client?.close()
    client = null
    dirty.clear()
    replaced = false
    for (const map of maps.values()) map.clear()
    ready.value = false
    state.value = 'connecting'
  }

  /** The gateway's time now, POSIX seconds. */
  function now(): number {
    return Date.now() / 1000 + offset.value
  }

  /**
   * Command the gateway (docs/commands.md); the result. Throws `ApiError`: `code` as the gateway's, or
   * `no_answer` where it may or may not have happened (ask again with the same `id`: it is done once).
   */
  async function command<T = unknown>(name: string, args: Record<string, unknown> = {}, id?: string): Promise<T> {
    let told: Result
    try {
      if (client === null) throw new Error('not connected')
      told = await client.command(name, args, id)
    } catch (error) {
      throw new ApiError(0, error instanceof Error ? error.message : String(error), { code: 'no_answer' })
    }
    if (!told.ok) throw new ApiError(409, told.error?.message ?? '', told.error ?? {})
    return told.result as T
  }

  return { state, ready, offset, topic, start, stop, now, command }
})
