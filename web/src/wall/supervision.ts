// When a supervisor can do what to an agent. The gateway checks again: this only says which buttons are of use. Pure.

import type { AgentState, AgentStatus } from '@/stream/frames.ts'

export type Deed = 'listen' | 'whisper' | 'barge' | 'takeOver' | 'stop' | 'forcePause' | 'forceLogOut'

/** Those that need a phone of the supervisor's own. */
export const BY_PHONE: ReadonlySet<Deed> = new Set(['listen', 'whisper', 'barge', 'takeOver', 'stop'])
/** Those that are asked back before they are done. */
export const CONFIRMED: ReadonlySet<Deed> = new Set(['barge', 'takeOver', 'forcePause', 'forceLogOut'])

/** The key of each, on its button. */
export const DEED_KEYS: Readonly<Record<Deed, string>> = {
  listen: 'Alt+L',
  whisper: 'Alt+W',
  barge: 'Alt+B',
  takeOver: 'Alt+T',
  stop: 'Alt+S',
  forcePause: 'Alt+P',
  forceLogOut: 'Alt+O',
}
export const DEEDS = Object.keys(DEED_KEYS) as Deed[]

const CONVERSING: ReadonlySet<AgentState> = new Set(['talking', 'on_hold'])

export function allowed(
  deed: Deed,
  agent: AgentStatus | null,
  mine: { readonly seat: string | null; readonly hearing: boolean },
): boolean {
  if (BY_PHONE.has(deed) && mine.seat === null) return false
  if (deed === 'stop') return mine.hearing
  if (agent === null) return false
  if (deed === 'forcePause') return agent.state !== 'paused' && agent.state !== 'logged_out'
  if (deed === 'forceLogOut') return agent.state !== 'logged_out'
  return agent.id !== mine.seat && Boolean(agent.call_id) && CONVERSING.has(agent.state)
}
