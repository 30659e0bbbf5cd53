// When a supervisor can do what to an agent. The gateway checks again: this only says which buttons are of use. Pure.

import type { AgentState, AgentStatus } from '@/stream/frames.ts'

export type Action = 'listen' | 'whisper' | 'barge' | 'takeOver' | 'stop' | 'forcePause' | 'forceLogOut'

/** Those that need a phone of the supervisor's own. */
export const BY_PHONE: ReadonlySet<Action> = new Set(['listen', 'whisper', 'barge', 'takeOver', 'stop'])
/** Those that are asked back before they are done. */
export const CONFIRMED: ReadonlySet<Action> = new Set(['barge', 'takeOver', 'forcePause', 'forceLogOut'])

/** The key of each, on its button. */
export const ACTION_KEYS: Readonly<Record<Action, string>> = {
  listen: 'Alt+L',
  whisper: 'Alt+W',
  barge: 'Alt+B',
  takeOver: 'Alt+T',
  stop: 'Alt+S',
  forcePause: 'Alt+P',
  forceLogOut: 'Alt+O',
}
export const ACTIONS = Object.keys(ACTION_KEYS) as Action[]

const CONVERSING: ReadonlySet<AgentState> = new Set(['talking', 'on_hold'])

export function allowed(
  action: Action,
  agent: AgentStatus | null,
  mine: { readonly seat: string | null; readonly hearing: boolean },
): boolean {
  if (BY_PHONE.has(action) && mine.seat === null) return false
  if (action === 'stop') return mine.hearing
  if (agent === null) return false
  if (action === 'forcePause') return agent.state !== 'paused' && agent.state !== 'logged_out'
  if (action === 'forceLogOut') return agent.state !== 'logged_out'
  return agent.id !== mine.seat && Boolean(agent.call_id) && CONVERSING.has(agent.state)
}
