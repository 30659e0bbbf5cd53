// Figures and arguments as administrators read them.

import type { AlarmRule, ApiToken, AuditEntry, Finding } from '@/admin/types.ts'
import { i18n } from '@/app/i18n.ts'
import { saidIn, type Message } from '@/common/refusal.ts'

const SHARES = new Set(['service_level', 'connection_rate', 'abandon_rate'])
const COUNTS = new Set(['waiting', 'available'])

/** A rule's threshold with its sign: `> 5`, `< 80%`, `> 120 s`. */
export function threshold(rule: AlarmRule): string {
  const [sign, value] = rule.above !== null ? ['>', rule.above] : ['<', rule.below ?? 0]
  if (SHARES.has(rule.measure)) return `${sign} ${+(value * 100).toFixed(1)}%`
  return COUNTS.has(rule.measure) ? `${sign} ${value}` : `${sign} ${value} s`
}

/** An entry's arguments as `name: value`; what is no JSON (cut off) as it stands. */
export function argsText(json: string): string {
  let args: unknown
  try {
    args = JSON.parse(json)
  } catch {
    return json
  }
  if (typeof args !== 'object' || args === null) return json
  return Object.entries(args)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ')
}

/** Why something in the audit was not done. */
export function refusedWhy(entry: AuditEntry): string {
  return saidIn('refused', { code: entry.reason, params: parsed(entry.params), text: entry.message || entry.code })
}

/** Why a delivery failed last, and after how many tries it was given up. */
export function failedWhy(said: Message | null): string {
  if (said === null) return ''
  const why = saidIn('failed', said)
  const tries = said.params?.['given_up_after']
  return tries === undefined || why === said.text ? why : i18n.global.t('admin.givenUp', { tries, why })
}

function parsed(json: string): Record<string, unknown> {
  try {
    const told: unknown = JSON.parse(json)
    return typeof told === 'object' && told !== null ? { ...told } : {}
  } catch {
    return {}
  }
}

/** Whether a token opens anything at that instant (POSIX seconds). */
export function tokenState(token: ApiToken, now: number): 'valid' | 'expired' | 'revoked' {
  if (token.revoked_at !== null) return 'revoked'
  return token.expires_at === null || now < token.expires_at ? 'valid' : 'expired'
}

export type Grade = 'fault' | 'warning' | 'fine'

export function gradeOf(finding: Finding): Grade {
  if (finding.warning) return 'warning'
  return finding.ok ? 'fine' : 'fault'
}

/** What needs a hand first. */
export function bySeverity(findings: readonly Finding[]): Finding[] {
  const order: readonly Grade[] = ['fault', 'warning', 'fine']
  return [...findings].sort((a, b) => order.indexOf(gradeOf(a)) - order.indexOf(gradeOf(b)))
}
