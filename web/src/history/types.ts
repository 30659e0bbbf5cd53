// What `/history`, `/calls/{id}` and `/recordings` answer (docs/history.md). Instants are POSIX seconds, spans seconds.

import type { OrderStatus } from '@/api/types.ts'
import type { Call, CallSource, CallState, Direction, EndedBy, EndReason, Order, OrderState, Party, Utterance } from '@/stream/frames.ts'

export interface CallSummary {
  readonly id: string
  readonly direction: Direction
  readonly state: CallState
  readonly caller: Party
  readonly called: string
  readonly started_at: number
  readonly ended_at: number | null
  readonly line: string | null
  readonly queue: string | null
  readonly agent: string | null
  readonly agents: readonly string[]
  readonly end_reason: EndReason | null
  readonly ended_by: EndedBy | null
  /** Q.850. */
  readonly hangup_cause: number | null
  readonly source: CallSource
  readonly waited: number | null
  readonly talked: number
  readonly held: number
  readonly transfers: number
  readonly recorded: boolean
  readonly order: {
    readonly id: string
    readonly title: string
    readonly state: OrderState
    readonly outcome: string | null
  } | null
}

export interface OrderSummary {
  readonly id: string
  readonly call_id: string
  readonly line: string
  readonly state: OrderState
  /** Id of the outcome of its call; null: not yet known. */
  readonly outcome: string | null
  readonly created_at: number
  readonly submitted_at: number | null
  readonly delivered_at: number | null
  readonly external_id: string | null
  readonly agent: string | null
  readonly caller: string
  readonly title: string
  readonly category: string
  readonly town: string
  readonly unit: string
  /** The latest that a work-order system told of it. */
  readonly status?: OrderStatus | null
  /** When a draft leaves by itself; null: an agent has to send it. */
  readonly send_at?: number | null
  /** Where it comes from: `call`, or that of a matter. */
  readonly source?: string
  readonly urgent: boolean
}

export interface Page<T> {
  readonly items: readonly T[]
  readonly next: string | null
}

/** A recording: `offset` is the call time (seconds since the call began) of its first sample. */
export interface Track {
  readonly id: string
  readonly duration: number
  readonly offset: number
}

export interface Heard {
  readonly call: Call
  readonly utterances: readonly Utterance[]
  readonly recordings: readonly Track[]
  /** One for each matter, by number. */
  readonly orders: readonly Order[]
  /** What became of them, as it happened. */
  readonly statuses?: readonly OrderStatus[]
}

/** The loudest sample of each span, 0..1. */
export interface Peaks {
  readonly duration: number
  readonly caller: readonly number[]
  readonly agent: readonly number[]
}
