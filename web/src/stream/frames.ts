// Written by scripts/stream_types.py from the frames' types: change those, then `make stream-types`.

export interface Hello {
  readonly type: "hello"
  readonly version: number
  readonly epoch: string
  readonly time: number
  readonly user: string
  readonly role: string
  readonly agent: string | null
  readonly heartbeat: number
}

export interface Snapshot {
  readonly type: "snapshot"
  readonly seq: number
  readonly items: readonly (CallItem | QueueItem | AgentItem | UtteranceItem | OrderItem | PbxItem | FiguresItem | RecogniserItem | AlertItem | AlarmItem)[]
}

export interface CallItem {
  readonly topic: "calls"
  readonly key: string
  readonly value: Call
}

export interface Call {
  readonly id: string
  readonly pbx: string
  readonly linkedid: string
  readonly direction: Direction
  readonly state: CallState
  readonly caller: Party
  readonly called: string
  readonly started_at: number
  readonly line?: string | null
  readonly queue?: string | null
  readonly agent?: string | null
  readonly ivr?: Readonly<Record<string, string>>
  readonly queued_at?: number | null
  readonly ringing_at?: number | null
  readonly answered_at?: number | null
  readonly ended_at?: number | null
  readonly end_reason?: EndReason | null
  readonly ended_by?: EndedBy | null
  readonly hangup_cause?: number | null
  readonly legs?: readonly Leg[]
  readonly conversations?: readonly Conversation[]
  readonly recordings?: readonly Recording[]
  readonly holds?: readonly Hold[]
  readonly transfers?: readonly Transfer[]
  readonly conferences?: readonly Conference[]
  readonly incidents?: readonly Incident[]
  readonly consults?: string | null
  readonly monitors?: string | null
  readonly merged_into?: string | null
  readonly let_go?: boolean
  readonly source?: CallSource
}

export type Direction = "inbound" | "internal" | "outbound"

export type CallState = "ended" | "held" | "ivr" | "parked" | "queued" | "ringing" | "talking"

export interface Party {
  readonly number?: string
  readonly name?: string
}

export type EndReason = "abandoned_ivr" | "abandoned_parked" | "abandoned_queue" | "abandoned_ringing" | "completed" | "failed" | "merged" | "queue_timeout" | "unseen"

export type EndedBy = "agent" | "caller" | "system"

export interface Leg {
  readonly uniqueid: string
  readonly channel: string
  readonly side: Side
  readonly party: Party
  readonly created_at: number
  readonly agent?: string | null
  readonly ringing_at?: number | null
  readonly answered_at?: number | null
  readonly ended_at?: number | null
  readonly cause?: number | null
  readonly hung_up_at?: number | null
  readonly bridge?: string | null
  readonly held?: boolean
  readonly muted?: boolean
}

export type Side = "agent" | "caller"

export interface Conversation {
  readonly agent: string | null
  readonly channel: string
  readonly started_at: number
  readonly ended_at?: number | null
  readonly party?: string
}

export interface Recording {
  readonly path: string
  readonly channel: string
  readonly started_at: number
  readonly ended_at?: number | null
}

export interface Hold {
  readonly uniqueid: string
  readonly agent: string | null
  readonly started_at: number
  readonly ended_at?: number | null
}

export interface Transfer {
  readonly at: number
  readonly transfer_type: TransferType
  readonly origin: string
  readonly target: string
  readonly result: string
}

export type TransferType = "attended" | "blind" | "blonde" | "forward" | "park" | "pickup" | "recall" | "retrieve"

export interface Conference {
  readonly started_at: number
  readonly members: readonly Member[]
  readonly ended_at?: number | null
}

export interface Member {
  readonly uniqueid: string
  readonly party: string
  readonly joined_at: number
  readonly left_at?: number | null
}

export interface Incident {
  readonly at: number
  readonly kind: IncidentKind
  readonly detail?: string
}

export type IncidentKind = "blocked" | "recording_paused" | "recording_resumed" | "voicemail"

export type CallSource = "partly" | "records" | "watched"

export interface QueueItem {
  readonly topic: "queues"
  readonly key: string
  readonly value: Queue
}

export interface Queue {
  readonly name: string
  readonly pbx: string
  readonly line: string | null
  readonly waiting?: readonly Waiting[]
  readonly waiting_total?: number
  readonly agents?: number
}

export interface Waiting {
  readonly call_id: string
  readonly uniqueid: string
  readonly position: number
  readonly since: number
  readonly caller?: string
}

export interface AgentItem {
  readonly topic: "agents"
  readonly key: string
  readonly value: AgentStatus
}

export interface AgentStatus {
  readonly id: string
  readonly name: string
  readonly phone: string
  readonly state: AgentState
  readonly since: number
  readonly reason?: string
  readonly call_id?: string | null
  readonly queues?: readonly string[]
  readonly penalties?: Readonly<Record<string, number>>
  readonly ring_in_use?: readonly string[]
  readonly direction?: Direction | null
  readonly wrap_up_until?: number | null
  readonly missed?: number
  readonly pbx?: string
  readonly phones?: readonly string[]
  readonly kind?: PhoneKind
  readonly desk_reachable?: boolean | null
}

export type AgentState = "available" | "logged_out" | "on_hold" | "paused" | "ringing" | "talking" | "unreachable" | "wrap_up"

export type PhoneKind = "browser" | "desk"

export interface UtteranceItem {
  readonly topic: "transcripts"
  readonly key: string
  readonly value: Utterance
}

export interface Utterance {
  readonly id: string
  readonly call_id: string
  readonly side: Side
  readonly start: number
  readonly end: number
  readonly text: string
  readonly final?: boolean
  readonly confidence?: number
  readonly source?: Source
  readonly alternatives?: readonly Alternative[]
}

export type Source = "live" | "recording"

export interface Alternative {
  readonly text: string
  readonly probability: number
}

export interface OrderItem {
  readonly topic: "orders"
  readonly key: string
  readonly value: Order
}

export interface Order {
  readonly id: string
  readonly call_id: string
  readonly line: string
  readonly state: OrderState
  readonly fields: Readonly<Record<string, FieldValue>>
  readonly created_at: number
  readonly updated_at: number
  readonly revision?: number
  readonly submitted_at?: number | null
  readonly delivered_at?: number | null
  readonly external_id?: string | null
  readonly offers?: Readonly<Record<string, readonly FieldValue[]>>
  readonly related?: readonly RelatedOrder[]
  readonly duplicate_of?: string | null
  readonly knowledge?: readonly KnowledgeHit[]
  readonly outcome?: CallOutcome | null
  readonly suggested?: OutcomeSuggestion | null
  readonly send_at?: number | null
  readonly held_back?: boolean
  readonly supplements?: readonly Supplement[]
  readonly sent?: SentOrder | null
  readonly source?: string
  readonly changes?: readonly string[]
  readonly withdrawn?: Withdrawal | null
  readonly number?: number
  readonly begins?: number
  readonly ends?: number | null
  readonly split?: SplitSuggestion | null
}

export type OrderState = "dead" | "delivered" | "draft" | "dropped" | "submitted"

export interface FieldValue {
  readonly value: unknown
  readonly confidence: number
  readonly method: Method
  readonly evidence?: readonly Evidence[]
}

export type Method = "agent" | "gazetteer" | "llm" | "model" | "rule" | "signalling"

export interface Evidence {
  readonly utterance_id: string
  readonly start: number
  readonly end: number
  readonly quote: string
  readonly audio_start: number
  readonly audio_end: number
}

export interface RelatedOrder {
  readonly order_id: string
  readonly created_at: number
  readonly reason: string
  readonly title?: string
  readonly state?: string
}

export interface KnowledgeHit {
  readonly id: string
  readonly title: string
  readonly score: number
  readonly passage: string
}

export interface CallOutcome {
  readonly kind: string
  readonly at: number
  readonly by?: string
  readonly answer?: string
  readonly article?: string
  readonly target?: string
  readonly reason?: string
  readonly order_id?: string
  readonly urges?: boolean
}

export interface OutcomeSuggestion {
  readonly outcome: CallOutcome
  readonly confidence: number
  readonly quote?: string
}

export interface Supplement {
  readonly call_id: string
  readonly at: number
  readonly by: string
  readonly urges: boolean
  readonly text: string
  readonly order_id?: string
}

export interface SentOrder {
  readonly state: OrderState
  readonly fields: Readonly<Record<string, FieldValue>>
  readonly outcome: CallOutcome | null
}

export interface Withdrawal {
  readonly at: number
  readonly by: string
  readonly reason: string
}

export interface SplitSuggestion {
  readonly at: number
  readonly quote: string
}

export interface PbxItem {
  readonly topic: "pbx"
  readonly key: string
  readonly value: PbxLink
}

export interface PbxLink {
  readonly pbx: string
  readonly up: boolean
  readonly reason: string
  readonly since: number
}

export interface FiguresItem {
  readonly topic: "figures"
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

export interface RecogniserItem {
  readonly topic: "asr"
  readonly key: string
  readonly value: Recogniser
}

export interface Recogniser {
  readonly load: Load
  readonly ready: boolean
  readonly waiting: number
  readonly lag: number
  readonly partials_dropped: number
  readonly fault?: string | null
}

export type Load = "delayed" | "no_partials" | "normal"

export interface AlertItem {
  readonly topic: "alerts"
  readonly key: string
  readonly value: Alert
}

export interface Alert {
  readonly call_id: string
  readonly order_id: string
  readonly line: string
  readonly agent: string | null
  readonly at: number
  readonly quote: string
  readonly confidence: number
}

export interface AlarmItem {
  readonly topic: "alarms"
  readonly key: string
  readonly value: Alarm
}

export interface Alarm {
  readonly id: string
  readonly rule: string
  readonly name: string
  readonly measure: Measure
  readonly level: Level
  readonly value: number
  readonly latest?: number
  readonly latest_at?: number
  readonly threshold: number
  readonly since: number
  readonly pbx: string
  readonly queue?: string | null
  readonly line?: string | null
  readonly agent?: string | null
  readonly call_id?: string | null
}

export type Measure = "abandon_rate" | "available" | "connection_rate" | "longest_wait" | "on_hold" | "overdue" | "paused" | "pbx_down" | "rejected_facts" | "service_level" | "talking" | "unfinished" | "unreachable" | "unsubmitted" | "waiting" | "wrap_up"

export type Level = "critical" | "warning"

export interface Delta {
  readonly type: "delta"
  readonly seq: number
  readonly changes: readonly (CallItem | QueueItem | AgentItem | UtteranceItem | OrderItem | PbxItem | FiguresItem | RecogniserItem | AlertItem | AlarmItem)[]
  readonly removals: readonly Removal[]
}

export interface Removal {
  readonly topic: "agents" | "alarms" | "alerts" | "asr" | "calls" | "figures" | "orders" | "pbx" | "queues" | "transcripts"
  readonly key: string
}

export interface Heartbeat {
  readonly type: "heartbeat"
  readonly seq: number
  readonly time: number
}

export interface Pong {
  readonly type: "pong"
  readonly time: number
}

export interface Result {
  readonly type: "result"
  readonly id: string
  readonly ok: boolean
  readonly result?: unknown
  readonly error?: Fault | null
}

export interface Fault {
  readonly code: string
  readonly reason: string
  readonly params: Readonly<Record<string, unknown>>
  readonly message: string
}

export interface Subscribe {
  readonly type: "subscribe"
  readonly topics: readonly ("agents" | "alarms" | "alerts" | "asr" | "calls" | "figures" | "orders" | "pbx" | "queues" | "transcripts")[]
}

export interface Resume {
  readonly type: "resume"
  readonly epoch: string
  readonly since: number
}

export interface Ping {
  readonly type: "ping"
}

export interface Command {
  readonly type: "command"
  readonly id: string
  readonly name: string
  readonly args?: Readonly<Record<string, unknown>>
}

export type ServerFrame = Hello | Snapshot | Delta | Heartbeat | Pong | Result

export type ClientFrame = Subscribe | Resume | Ping | Command
