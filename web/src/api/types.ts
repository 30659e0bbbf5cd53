// What the HTTP API answers, as far as the stream's own types (stream/frames.ts) do not say it.

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
  /** The share of callers, 0..1, to be answered within that. */
  readonly service_level_target: number
  /** The share of callers, 0..1, to be answered at all. */
  readonly connection_target: number
}

export interface FormField {
  readonly name: string
  readonly label: string
  readonly kind: 'text' | 'choice' | 'bool' | 'list' | 'code'
  readonly required: boolean
  readonly choices: readonly string[]
}

/** GET and POST /session. Instants are POSIX seconds. */
export interface Session {
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
  readonly lines: readonly Line[]
  readonly field_labels: Readonly<Record<string, string>>
  readonly forms: Readonly<Record<string, readonly FormField[]>>
  readonly pause_reasons: readonly string[]
  /** Agents log in and out at the desk. */
  readonly desk_login: boolean
  /** Whether a browser phone is configured for this agent. */
  readonly softphone: boolean
}

/** GET /welcome: what the login page may know before anybody signed in. */
export interface Welcome {
  readonly demo_accounts: readonly { readonly username: string; readonly password: string }[]
}
