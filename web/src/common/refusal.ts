// What the gateway says of itself — refusals, findings — in the app's language: it sends a code with parameters.

import { ApiError } from '@/api/client.ts'
import { i18n } from '@/app/i18n.ts'
import { useSession } from '@/stores/session.ts'

export interface Message {
  readonly code: string
  readonly params?: Readonly<Record<string, unknown>>
  /** In English, where we have no words. */
  readonly text: string
}

/** A refusal's parameters by the names people have for them: states, an order's fields, lines. */
function named(params: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const me = useSession().me
  const { t, te } = i18n.global
  const each = (value: unknown, name: (one: string) => string | undefined): string =>
    String(value).split(', ').map((one) => name(one) ?? one).join(t('common.comma'))
  const words: Readonly<Record<string, (one: string) => string | undefined>> = {
    state: (one) => (te(`common.agentState.${one}`) ? t(`common.agentState.${one}`) : undefined),
    field: (one) => me?.field_labels[one],
    line: (one) => me?.lines.find((line) => line.id === one)?.name,
    queue: (one) => me?.lines.find((line) => line.id === one || line.queue === one)?.name,
  }
  const all = { ...words, fields: words['field'], lines: words['line'] }
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => {
      const word = all[name as keyof typeof all]
      return [name, word ? each(value, word) : value]
    }),
  )
}

/** One thing the gateway said, by the messages of `area`. Follows the language where it is rendered. */
export function saidIn(area: string, { code, params = {}, text }: Message): string {
  const { t, te } = i18n.global
  const key = `${area}.${code}`
  return code && te(key) ? t(key, area === 'refused' ? named(params) : { ...params }) : text
}

/** Why something failed. */
export function whyOf(error: unknown): string {
  if (!(error instanceof ApiError)) return String(error)
  if (error.status === 0) return i18n.global.t(error.code === 'no_answer' ? 'common.noResult' : 'common.noAnswer')
  return saidIn('refused', { code: error.reason, params: error.params, text: error.detail })
}
