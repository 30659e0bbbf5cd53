// What `/admin`, `/deliveries` and `/audit` answer (docs/operation.md). Instants are POSIX seconds.

import type { Line, Role } from '@/api/types.ts'
import type { Message } from '@/common/refusal.ts'
import type { Level, Measure } from '@/stream/frames.ts'

export interface AgentView {
  readonly id: string
  readonly name: string
  readonly phone: string
  /** Beside the browser phone; empty: none. */
  readonly desk_phone: string
  readonly pbx: string
  /** Line → penalty; 0 is rung first. */
  readonly lines: Readonly<Record<string, number>>
}

export interface AlarmRule {
  readonly id: string
  readonly name: string
  readonly measure: Measure
  readonly above: number | null
  readonly below: number | null
  readonly for_s: number
  readonly level: Level
  readonly lines: readonly string[]
  readonly reasons: readonly string[]
  readonly min_offered: number
}

export interface PbxView {
  readonly name: string
  readonly host: string
  readonly up: boolean
  readonly reason: string
  readonly live_audio: string
}

export interface EndpointState {
  readonly id: string
  readonly host: string
  /** Empty: all. */
  readonly lines: readonly string[]
  readonly pending: number
  readonly delivered: number
  readonly dead: number
  readonly last_error: Message | null
  readonly last_success_at: number | null
  /** False: deliveries wait for an endpoint that the configuration no longer has. */
  readonly configured: boolean
}

/** What one process at a time may serve, or (`standby:…`) a process that stands by. */
export interface Lease {
  readonly name: string
  readonly holder: string
  readonly address: string
  readonly term: number
  readonly taken_at: number
  /** Not above 0: nobody holds it. */
  readonly expires_in_s: number
}

export type Section = 'lines' | 'agents' | 'skills' | 'pause_reasons' | 'alarms' | 'pbxs' | 'endpoints' | 'leases'

export interface Overview {
  /** The configuration file; empty: defaults and environment only. */
  readonly source: string
  readonly lines: readonly Line[]
  readonly agents: readonly AgentView[]
  readonly pause_reasons: readonly string[]
  readonly alarms: readonly AlarmRule[]
  readonly pbxs: readonly PbxView[]
  readonly endpoints: readonly EndpointState[]
  /** Empty: only one process can serve. */
  readonly leases: readonly Lease[]
  readonly where: Readonly<Record<Section, string>>
}

export interface Finding {
  readonly what: Message
  readonly ok: boolean
  readonly detail: Message
  /** What to do where it is not ok. */
  readonly fix: Message | null
  readonly warning: boolean
}

/** A call that is over and lacks its recording, transcript or order. */
export interface UnfinishedCall {
  readonly id: string
  readonly pbx: string
  readonly line: string | null
  readonly agent: string | null
  readonly started_at: number
  /** It is tried again by itself. */
  readonly waits: boolean
  readonly trouble: string
}

export interface Delivery {
  readonly id: string
  readonly order_id: string
  readonly endpoint: string
  readonly state: 'pending' | 'delivered' | 'dead'
  readonly attempts: number
  readonly created_at: number
  readonly next_at: number | null
  readonly tried_at: number | null
  readonly delivered_at: number | null
  readonly last_error: Message | null
}

export interface Account {
  readonly username: string
  readonly role: Role
  readonly agent_id: string | null
  readonly disabled: boolean
}

export const SCOPES = [
  'history:read', 'orders:read', 'export:read', 'metrics:read', 'intake:write',
] as const
/** What a token opens. */
export type Scope = (typeof SCOPES)[number]

/** What another system asks with, without its secret. Instants are POSIX seconds. */
export interface ApiToken {
  readonly id: string
  readonly name: string
  readonly owner: string
  readonly scopes: readonly Scope[]
  /** Empty: all. */
  readonly lines: readonly string[]
  readonly created_at: number
  readonly created_by: string
  readonly expires_at: number | null
  readonly revoked_at: number | null
  readonly last_used_at: number | null
}

export interface MadeToken extends ApiToken {
  /** Its text: told this once. */
  readonly token: string
}

export interface AuditEntry {
  readonly seq: number
  readonly at: number
  readonly username: string
  readonly role: Role | 'console' | 'system'
  readonly agent: string | null
  readonly name: string
  /** JSON, perhaps cut off. */
  readonly args: string
  readonly ok: boolean
  readonly code: string
  readonly reason: string
  /** JSON. */
  readonly params: string
  readonly message: string
}
