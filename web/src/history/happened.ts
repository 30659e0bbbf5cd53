// What happened on a call, in order of time. Pure.

import type { Call } from '@/stream/frames.ts'

export type Kind =
  | 'inbound'
  | 'outbound'
  | 'internal'
  | 'queued'
  | 'ringing'
  | 'talk'
  | 'hold'
  | 'unhold'
  | 'blind'
  | 'attended'
  | 'blonde'
  | 'forward'
  | 'pickup'
  | 'park'
  | 'retrieve'
  | 'recall'
  | 'conference'
  | 'conferenceOver'
  | 'voicemail'
  | 'blocked'
  | 'recording_paused'
  | 'recording_resumed'
  | 'ended'

export interface Happening {
  readonly kind: Kind
  /** POSIX seconds. */
  readonly at: number
  /** Whose doing: agent id or number. */
  readonly who?: string
  /** To whom, or what was dialled. */
  readonly target?: string
  /** Asterisk's word, where it did not succeed; the reason of an end. */
  readonly result?: string
  /** Of an end: who hung up, and the Q.850 cause. */
  readonly by?: string
  readonly cause?: number
}

/** Everything that the call tells, oldest first; things of one instant in the order in which they come about. */
export function happened(call: Call): Happening[] {
  const all: Happening[] = [{ kind: call.direction, at: call.started_at, target: call.called }]
  const add = (kind: Kind, at: number | null | undefined, more: Omit<Happening, 'kind' | 'at'> = {}): void => {
    if (at !== null && at !== undefined) all.push({ kind, at, ...more })
  }
  add('queued', call.queued_at, { target: call.queue ?? '' })
  add('ringing', call.ringing_at, call.conversations?.length ? {} : { target: call.agent ?? '' })
  for (const one of call.conversations ?? []) add('talk', one.started_at, { who: one.agent ?? one.party ?? '' })
  for (const one of call.holds ?? []) {
    add('hold', one.started_at, { who: one.agent ?? '' })
    add('unhold', one.ended_at, { who: one.agent ?? '' })
  }
  for (const one of call.transfers ?? []) {
    const result = one.result === 'success' ? {} : { result: one.result }
    add(one.transfer_type, one.at, { who: one.origin, target: one.target, ...result })
  }
  for (const one of call.conferences ?? []) {
    add('conference', one.started_at, { target: one.members.map((member) => member.party).join('、') })
    add('conferenceOver', one.ended_at)
  }
  for (const one of call.incidents ?? []) add(one.kind, one.at, { target: one.detail ?? '' })
  add('ended', call.ended_at, {
    result: call.end_reason ?? '',
    ...(call.ended_by ? { by: call.ended_by } : {}),
    ...(call.hangup_cause ? { cause: call.hangup_cause } : {}),
  })
  return all.sort((a, b) => a.at - b.at) // stable
}
