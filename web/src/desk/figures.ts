/** The stream's `figures` of key `agent/<id>`: one agent's day (docs/metrics.md). Seconds. */
export interface AgentFigures {
  readonly taken?: number
  readonly missed?: number
  readonly talk_s?: number
  readonly hold_s?: number
  readonly wrap_up_s?: number
  readonly paused_s?: number
  readonly occupancy?: number | null
}
