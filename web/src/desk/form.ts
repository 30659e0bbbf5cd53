// The order's form: what stands in each field, what is being typed, and how it gets to the gateway.
//
// A field shows what was typed while that is not saved, else the gateway's value. Typing is saved shortly after it
// pauses; what is not (yet) valid is kept at the gateway as a draft, so that a reload loses nothing.

import { onScopeDispose, shallowReactive, shallowRef, watch, type Ref, type ShallowRef } from 'vue'

import { ApiError, type ApiClient } from '@/api/client.ts'
import type { FormField } from '@/api/types.ts'
import type { FieldValue, Order } from '@/stream/frames.ts'

export type Typed = string | boolean
/** `kept`: not valid yet, kept as a draft; `unsent`: the gateway could not be reached, tried again. */
export type Saving = 'saved' | 'waiting' | 'saving' | 'kept' | 'unsent'

export interface Entry {
  readonly value: Typed
  readonly saving: Saving
  readonly problem: string
  /** The field's value when typing began: another desk of mine may have typed there since. */
  readonly seen: unknown
}

const PAUSE_MS = 500
const AGAIN_MS = 2000
const LIST = /[、,，;；\n]+/

/** What an input shows of a field's value. */
export function shown(kind: FormField['kind'], value: unknown): Typed {
  if (kind === 'bool') return value === true
  if (Array.isArray(value)) return value.join('、')
  return value === null || value === undefined ? '' : String(value)
}

/** What is sent of what was typed. */
export function sent(kind: FormField['kind'], typed: Typed): string | boolean | string[] {
  if (kind === 'bool') return typed === true
  const text = String(typed).trim()
  return kind === 'list' ? text.split(LIST).map((one) => one.trim()).filter(Boolean) : text
}

export interface OrderForm {
  readonly entries: ReadonlyMap<string, Entry>
  readonly submitting: ShallowRef<boolean>
  readonly problem: ShallowRef<string>
  readonly type: (field: FormField, value: Typed, now?: boolean) => void
  readonly flush: () => Promise<boolean>
  readonly submit: () => Promise<boolean>
  readonly markDuplicate: (of: string | null) => Promise<boolean>
}

export function useOrderForm(api: ApiClient, order: Ref<Order | undefined>, fields: Ref<readonly FormField[]>): OrderForm {
  const entries = shallowReactive(new Map<string, Entry>())
  const submitting = shallowRef(false)
  const problem = shallowRef('')
  const timers = new Map<string, ReturnType<typeof setTimeout>>()
  let about = ''

  function forget(): void {
    for (const timer of timers.values()) clearTimeout(timer)
    timers.clear()
  }
  onScopeDispose(() => {
    // Leaving the page must not lose the last half second of typing.
    void flush()
    forget()
  })

  watch(() => order.value?.id, async (id) => {
    await flush()
    forget()
    entries.clear()
    problem.value = ''
    about = id ?? ''
    if (!id) return
    try {
      const { drafts } = await api.get<{ drafts: Record<string, string> }>(`/orders/${id}`)
      if (about !== id) return
      for (const [name, value] of Object.entries(drafts ?? {})) {
        if (!entries.has(name)) entries.set(name, { value, saving: 'kept', problem: '', seen: valueOf(name) })
      }
    } catch {
      // The stream shows the order all the same; drafts come with the next one.
    }
  }, { immediate: true })

  function valueOf(name: string): unknown {
    return order.value?.fields[name]?.value ?? null
  }

  function type(field: FormField, value: Typed, now = false): void {
    const before = entries.get(field.name)
    // Once told that another desk was faster, typing on is meant to replace what it typed.
    const seen = before && !before.problem ? before.seen : valueOf(field.name)
    entries.set(field.name, { value, saving: 'waiting', problem: '', seen })
    clearTimeout(timers.get(field.name))
    timers.set(field.name, setTimeout(() => void save(field), now ? 0 : PAUSE_MS))
  }

  async function save(field: FormField): Promise<void> {
    clearTimeout(timers.get(field.name))
    timers.delete(field.name)
    const [id, entry] = [about, entries.get(field.name)]
    if (!id || !entry || entry.saving === 'saving') return
    const settle = (saving: Saving, why = ''): void => {
      // Typed on meanwhile: that will be saved in its own turn.
      if (about !== id || entries.get(field.name)?.value !== entry.value) return
      if (saving === 'saved') entries.delete(field.name)
      else entries.set(field.name, { ...entry, saving, problem: why })
    }
    entries.set(field.name, { ...entry, saving: 'saving' })
    try {
      await api.patch(`/orders/${id}/fields`, {
        fields: { [field.name]: sent(field.kind, entry.value) },
        seen: { [field.name]: entry.seen },
      })
      settle('saved')
    } catch (error) {
      const told = error instanceof ApiError ? error : new ApiError(0, String(error))
      if (told.status === 0 || told.status >= 500 || told.status === 429) {
        settle('unsent', told.detail)
        timers.set(field.name, setTimeout(() => void save(field), AGAIN_MS))
        return
      }
      settle('kept', told.detail)
      try {
        await api.put(`/orders/${id}/drafts`, { drafts: { [field.name]: String(entry.value) } })
      } catch {
        // It stands in the field; the next change tries again.
      }
    }
  }

  /** Save all that is typed; whether everything is saved. */
  async function flush(): Promise<boolean> {
    const open = fields.value.filter((one) => ['waiting', 'unsent'].includes(entries.get(one.name)?.saving ?? ''))
    await Promise.all(open.map(save))
    return [...entries.values()].every((one) => one.saving === 'saved')
  }

  async function asked(work: () => Promise<unknown>): Promise<boolean> {
    problem.value = ''
    try {
      await work()
      return true
    } catch (error) {
      problem.value = error instanceof ApiError ? error.detail : String(error)
      return false
    }
  }

  async function submit(): Promise<boolean> {
    if (submitting.value || !about) return false
    submitting.value = true
    try {
      if (!(await flush())) return false
      return await asked(() => api.post(`/orders/${about}/submit`))
    } finally {
      submitting.value = false
    }
  }

  function markDuplicate(of: string | null): Promise<boolean> {
    return asked(() => api.post(`/orders/${about}/duplicate_of`, { order_id: of }))
  }

  return { entries, submitting, problem, type, flush, submit, markDuplicate }
}

/** How sure a value is, in three steps. */
export function sureness(field: FieldValue | undefined): 'typed' | 'sure' | 'likely' | 'unsure' | 'none' {
  if (!field) return 'none'
  if (field.method === 'agent') return 'typed'
  return field.confidence >= 0.8 ? 'sure' : field.confidence >= 0.5 ? 'likely' : 'unsure'
}
