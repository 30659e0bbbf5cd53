// The outcomes of calls (通话结果), as the gateway names them in the language of the page.

import { useI18n } from 'vue-i18n'

import type { OutcomeKind } from '@/api/types.ts'
import { useSession } from '@/stores/session.ts'

export interface OutcomeNames {
  /** An outcome by its id; one that is not configured any more is its id. */
  readonly outcome: (id: string | null | undefined) => string
  readonly reason: (id: string) => string
}

export function nameOf(kind: OutcomeKind, language: string): string {
  return language.startsWith('zh') ? kind.name : kind.name_en
}

export function useOutcomeNames(): OutcomeNames {
  const session = useSession()
  const { t, te, locale } = useI18n()
  return {
    outcome(id) {
      const kind = session.me?.outcomes?.find((one) => one.id === id)
      return kind ? nameOf(kind, locale.value) : (id ?? '')
    },
    reason: (id) => (te(`common.outcomeReasons.${id}`) ? t(`common.outcomeReasons.${id}`) : id),
  }
}
