import type { AgentState, AgentStatus } from '../src/stream/frames.ts'

export type Agent = AgentStatus

export function agent(id: string, state: AgentState = 'available', since = 1): Agent {
  return { id, name: `坐席${id}`, phone: `PJSIP/${id}`, state, since }
}
