// What became of the call (通话结果): which outcomes there are, what they ask for, and what is sent of a choice.

import type { OutcomeKind } from '@/api/types.ts'
import type { CallOutcome, KnowledgeHit, Order, RelatedOrder } from '@/stream/frames.ts'

/** As `PUT /orders/{id}/outcome` takes it. */
export interface OutcomeChoice {
  readonly kind: string
  readonly answer?: string
  readonly article?: string
  readonly target?: string
  readonly reason?: string
  readonly order_id?: string
  readonly urges?: boolean
}

/** Of the keys `Alt+4` and on; more outcomes than keys have none. */
const KEYS = ['Alt+4', 'Alt+5', 'Alt+6', 'Alt+7', 'Alt+8', 'Alt+9', 'Alt+0']

export function keyOfOutcome(place: number): string {
  return KEYS[place] ?? ''
}

/** The details of an outcome as they stand, or as was suggested for the same one. */
function before(order: Order, kind: string): CallOutcome | undefined {
  if (order.outcome?.kind === kind) return order.outcome
  return order.suggested?.outcome.kind === kind ? order.suggested.outcome : undefined
}

/**
 * What one key chooses: with all that the call itself tells. Null: a person has to say more first (which reason,
 * which order).
 */
export function choiceOf(kind: OutcomeKind, order: Order): OutcomeChoice | null {
  const known = before(order, kind.id)
  const details = kind.details ?? []
  const reason = known?.reason ?? ''
  if (kind.reasons?.length && !reason) return null
  const related = order.related ?? []
  const joined = known?.order_id || order.duplicate_of || (related.length === 1 ? related[0]?.order_id : '') || ''
  if (details.includes('order') && !joined) return null
  return {
    kind: kind.id,
    ...(details.includes('answer') ? { answer: known?.answer ?? '', article: known?.article ?? '' } : {}),
    ...(details.includes('target') ? { target: known?.target ?? '' } : {}),
    ...(reason ? { reason } : {}),
    ...(details.includes('order')
      ? { order_id: joined, urges: known?.urges ?? false, answer: known?.answer ?? '' }
      : {}),
  }
}

/** An outcome as it is told to the gateway again: it says itself when, and by whom. */
export function asChoice(outcome: CallOutcome): OutcomeChoice {
  const { kind, answer = '', article = '', target = '', reason = '', order_id = '', urges = false } = outcome
  return { kind, answer, article, target, reason, order_id, urges }
}

/** The articles an answer can be from, the best first. */
export function articles(order: Order): readonly KnowledgeHit[] {
  return order.knowledge ?? []
}

/** The orders that the call can add to. */
export function joinable(order: Order): readonly RelatedOrder[] {
  return order.related ?? []
}
