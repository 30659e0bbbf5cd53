// Commands of the desk, with what went wrong told to the agent in one place.

import { ElMessage } from 'element-plus'
import { shallowRef, type ShallowRef } from 'vue'
import { useI18n } from 'vue-i18n'

import { ApiError } from '@/api/client.ts'
import { whyOf } from '@/common/refusal.ts'
import { useLive } from '@/stores/live.ts'

export interface Commands {
  /** Names of the commands that are not answered yet. */
  readonly busy: ShallowRef<ReadonlySet<string>>
  /** Do it; `null` where it was refused (and told). */
  readonly run: <T = Record<string, unknown>>(name: string, args?: Record<string, unknown>) => Promise<T | null>
}

export function useCommands(): Commands {
  const live = useLive()
  const { t } = useI18n()
  const busy = shallowRef<ReadonlySet<string>>(new Set())

  async function run<T = Record<string, unknown>>(
    name: string,
    args: Record<string, unknown> = {},
  ): Promise<T | null> {
    if (busy.value.has(name)) return null
    busy.value = new Set([...busy.value, name])
    try {
      return (await live.command<T>(name, args)) ?? ({} as T)
    } catch (error) {
      // Of these nobody knows yet whether it was done.
      const unsure = error instanceof ApiError && ['no_answer', 'pbx_timeout'].includes(error.code)
      ElMessage({
        type: unsure ? 'warning' : 'error',
        message: t('common.notDone', { what: t(`desk.command.${name}`), why: whyOf(error) }),
        duration: 6000,
        showClose: true,
      })
      return null
    } finally {
      busy.value = new Set([...busy.value].filter((one) => one !== name))
    }
  }

  return { busy, run }
}
