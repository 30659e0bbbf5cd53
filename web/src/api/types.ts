// What the HTTP API answers, as far as the stream's own types (stream/frames.ts) do not say it.

import type { PhoneKind } from '@/stream/frames.ts'

export type Role = 'agent' | 'supervisor' | 'admin'

export type Permission =
  | 'see_all'
  | 'edit_all_orders'
  | 'see_deliveries'
  | 'retry_deliveries'
  | 'see_metrics'
  | 'command_all'
  | 'see_audit'
  | 'listen_recordings'
  | 'export'
  | 'manage_accounts'
  | 'see_deployment'

export interface Line {
  readonly id: string
  readonly name: string
  readonly numbers: readonly string[]
  readonly queue: string
  readonly digit: string
  readonly form: string
  /** `#rrggbb` */
  readonly colour: string
  /** Seconds within which an answer counts for the service level. */
  readonly service_level_s: number
  /** IANA name: whose days and times of day the line's are. */
  readonly timezone: string
  /** The share of callers, 0..1, to be answered within that. */
  readonly service_level_target: number
  /** The share of callers, 0..1, to be answered at all. */
  readonly connection_target: number
}

/** The steps of an order's way through its work-order system. */
export type Step =
  | 'accepted' | 'dispatched' | 'signed' | 'handled' | 'answered' | 'closed' | 'visited' | 'archived'
  | 'returned' | 'extended' | 'redone' | 'urged' | 'supervised' | 'consulted'

/** What a work-order system told of an order. Instants are POSIX seconds. */
export interface OrderStatus {
  readonly id: string
  readonly order_id: string
  readonly endpoint: string
  readonly step: Step
  readonly at: number
  readonly received_at: number
  readonly unit?: string
  readonly person?: string
  readonly deadline?: number | null
  readonly text?: string
  readonly word?: string
  readonly satisfied?: boolean | null
  readonly resolved?: boolean | null
}

/** What can become of a call. */
export interface OutcomeKind {
  readonly id: string
  readonly name: string
  readonly name_en: string
  readonly sends: 'order' | 'closed' | 'nothing'
  readonly details?: readonly ('answer' | 'target' | 'reason' | 'order')[]
  readonly reasons?: readonly string[]
}

export interface FormField {
  readonly name: string
  readonly label: string
  readonly kind: 'text' | 'choice' | 'bool' | 'list' | 'code'
  readonly required: boolean
  readonly choices: readonly string[]
}

/** GET and POST /session. Instants are POSIX seconds. */
/** What of callers is shown whole; the rest comes masked. */
export interface Whole {
  readonly numbers: boolean
  readonly names: boolean
  readonly addresses: boolean
  readonly transcripts: boolean
}

export interface Session {
  readonly whole: Whole
  readonly username: string
  readonly name: string
  readonly role: Role
  readonly agent: string | null
  readonly permissions: readonly Permission[]
  readonly csrf: string
  readonly expires_at: number
  /** The websocket stream's address. */
  readonly stream: string
  readonly version: string
  /** IANA name of the house's time zone. */
  readonly timezone: string
  readonly lines: readonly Line[]
  readonly field_labels: Readonly<Record<string, string>>
  readonly forms: Readonly<Record<string, readonly FormField[]>>
  readonly outcomes?: readonly OutcomeKind[]
  readonly pause_reasons: readonly string[]
  /** Agents log in and out at the desk. */
  readonly desk_login: boolean
  /** The phones this agent has; of two, the gateway knows which is chosen (`AgentStatus.kind`). */
  readonly phones: readonly PhoneKind[]
}

/** GET /welcome: what the login page may know before anybody signed in. */
export interface Welcome {
  readonly demo_accounts: readonly { readonly username: string; readonly password: string }[]
}
