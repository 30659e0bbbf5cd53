// What a supervisor does with an agent: listen, whisper, barge in, take over, force a pause or a log-out.

import { computed, shallowRef } from 'vue'
import { useI18n } from 'vue-i18n'

import { whyOf } from '@/common/refusal.ts'
import { useLive } from '@/stores/live.ts'
import { useSession } from '@/stores/session.ts'
import type { AgentStatus } from '@/stream/frames.ts'
import { allowed, type Action } from '@/wall/supervision.ts'

const COMMANDS: Readonly<Record<Action, string>> = {
  listen: 'listen',
  whisper: 'whisper',
  barge: 'barge',
  takeOver: 'take_over',
  stop: 'stop_listening',
  forcePause: 'force_pause',
  forceLogOut: 'force_log_out',
}

export interface Told {
  readonly ok: boolean
  readonly text: string
}

export function useSupervision(): {
  readonly selected: () => AgentStatus | null
  readonly select: (id: string | null) => void
  readonly hearing: () => string | null
  readonly busy: () => boolean
  readonly told: () => Told | null
  readonly may: (action: Action, agent?: AgentStatus | null) => boolean
  readonly command: (action: Action, agent: AgentStatus | null, reason?: string) => Promise<void>
} {
  const live = useLive()
  const session = useSession()
  const { t } = useI18n()
  const chosen = shallowRef<string | null>(null)
  const busy = shallowRef(false)
  const told = shallowRef<Told | null>(null)
  const selected = computed(() => (chosen.value === null ? null : (live.topic('agents').get(chosen.value) ?? null)))

  /** The call that our own phone listens to now. */
  const hearing = computed(() => {
    const me = session.me?.agent
    if (!me) return null
    for (const call of live.topic('calls').values()) {
      if (!call.monitors || call.state === 'ended') continue
      if (call.legs?.some((leg) => leg.agent === me && !leg.ended_at)) return call.monitors
    }
    return null
  })

  function may(action: Action, agent: AgentStatus | null = selected.value): boolean {
    if (!session.may('command_all') || busy.value) return false
    return allowed(action, agent, { seat: session.me?.agent ?? null, hearing: hearing.value !== null })
  }

  async function command(action: Action, agent: AgentStatus | null, reason = ''): Promise<void> {
    const forced = action === 'forcePause' || action === 'forceLogOut'
    const args: Record<string, unknown> =
      action === 'stop' || agent === null ? {} : forced ? { agent: agent.id } : { target: agent.id }
    if (action === 'forcePause') args['reason'] = reason
    busy.value = true
    told.value = null
    try {
      await live.command(COMMANDS[action], args)
      told.value = { ok: true, text: t(`wall.done.${action}`, { name: agent?.name ?? '', reason }) }
    } catch (error) {
      told.value = { ok: false, text: t('common.notDone', { what: t(`wall.action.${action}`), why: whyOf(error) }) }
    } finally {
      busy.value = false
    }
  }
  return {
    selected: () => selected.value,
    select: (id) => (chosen.value = id),
    hearing: () => hearing.value,
    busy: () => busy.value,
    told: () => told.value,
    may,
    command,
  }
}

export type Supervision = ReturnType<typeof useSupervision>
