// The order's form: what stands in each field, what is being typed, and how it gets to the gateway.
//
// A field shows what was typed while that is not saved, else the gateway's value. Typing is saved shortly after it
// pauses; what is not (yet) valid is kept at the gateway as unsaved input, so that a reload loses nothing.

import { onScopeDispose, shallowReactive, shallowRef, watch, type Ref, type ShallowRef } from 'vue'

import { ApiError, type ApiClient } from '@/api/client.ts'
import type { FormField } from '@/api/types.ts'
import { whyOf } from '@/common/refusal.ts'
import type { OutcomeChoice } from '@/desk/outcome.ts'
import type { FieldValue, Order } from '@/stream/frames.ts'

export type Typed = string | boolean
/** `kept`: not valid yet, kept at the gateway; `unsent`: the gateway could not be reached, tried again. */
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
  readonly choose: (outcome: OutcomeChoice, id: string) => Promise<boolean>
  readonly holdBack: () => Promise<boolean>
  readonly correct: () => Promise<boolean>
  readonly giveUp: () => Promise<boolean>
  readonly withdraw: (reason: string) => Promise<boolean>
}

/** `took`: told the order as the gateway answers it. */
export function useOrderForm(
  api: ApiClient,
  order: Ref<Order | undefined>,
  took: (order: Order) => void = () => undefined,
): OrderForm {
  const entries = shallowReactive(new Map<string, Entry>())
  const submitting = shallowRef(false)
  const problem = shallowRef('')
  const typedInto = new Map<string, FormField>()
  const timers = new Map<string, ReturnType<typeof setTimeout>>()
  /**
   * Saving now, one at a time for a field: the last word typed is the last to arrive. Each tells the field's value
   * afterwards, upon which what is typed meanwhile was typed.
   */
  const underWay = new Map<string, Promise<unknown>>()
  /** Saved, and shown as typed until the stream has that revision: else the old value would flash up between. */
  const awaited = new Map<string, number>()
  let about = ''

  watch(() => order.value?.id, (id) => {
    leave()
    about = id ?? ''
    if (id) void recall(id)
  }, { immediate: true })
  watch(() => order.value?.revision ?? 0, arrived)
  // Leaving the page must not lose the last half second of typing.
  const hidden = (): void => void flush()
  addEventListener('pagehide', hidden)
  onScopeDispose(() => {
    removeEventListener('pagehide', hidden)
    leave()
  })

  /** Another order takes the desk: what was typed into this one goes on being saved. */
  function leave(): void {
    for (const timer of timers.values()) clearTimeout(timer)
    for (const [name, entry] of entries) {
      const field = typedInto.get(name)
      if (field && ['waiting', 'unsent'].includes(entry.saving)) void insist(about, field, entry, underWay.get(name))
    }
    for (const all of [timers, underWay, awaited, entries]) all.clear()
    problem.value = ''
  }

  async function insist(id: string, field: FormField, entry: Entry, first?: Promise<unknown>): Promise<void> {
    const seen = first ? await first : entry.seen
    while ((await put(id, field, { ...entry, seen })).saving === 'unsent') {
      await new Promise((again) => setTimeout(again, AGAIN_MS))
    }
  }

  /** What was typed before the page was loaded, and is not valid yet. */
  async function recall(id: string): Promise<void> {
    try {
      const { unsaved } = await api.get<{ unsaved: Record<string, string> }>(`/orders/${id}`)
      if (about !== id) return
      for (const [name, value] of Object.entries(unsaved ?? {})) {
        if (!entries.has(name)) entries.set(name, { value, saving: 'kept', problem: '', seen: valueOf(name) })
      }
    } catch {
      // The stream shows the order all the same; unsaved input comes with the next one.
    }
  }

  function valueOf(name: string): unknown {
    return order.value?.fields[name]?.value ?? null
  }

  /** The order as shown has come so far: what was saved by then need not be shown as typed any longer. */
  function arrived(revision: number): void {
    for (const [name, saved] of awaited) {
      if (saved > revision) continue
      awaited.delete(name)
      if (entries.get(name)?.saving === 'saved') entries.delete(name)
    }
  }

  function type(field: FormField, value: Typed, now = false): void {
    const before = entries.get(field.name)
    // Once told that another desk was faster, typing on is meant to replace what it typed.
    const seen = before && !before.problem ? before.seen : valueOf(field.name)
    typedInto.set(field.name, field)
    awaited.delete(field.name)
    entries.set(field.name, { value, saving: 'waiting', problem: '', seen })
    saveIn(field, now ? 0 : PAUSE_MS)
  }

  function saveIn(field: FormField, ms: number): void {
    clearTimeout(timers.get(field.name))
    timers.set(field.name, setTimeout(() => void save(field), ms))
  }

  /** Save what is typed into a field, after what was typed before. */
  async function save(field: FormField): Promise<void> {
    clearTimeout(timers.get(field.name))
    timers.delete(field.name)
    const id = about
    while (underWay.has(field.name)) await underWay.get(field.name)
    const entry = entries.get(field.name)
    if (about !== id || !id || !entry || !['waiting', 'unsent'].includes(entry.saving)) return
    entries.set(field.name, { ...entry, saving: 'saving' })
    const saving = settle(id, field, entry)
    underWay.set(field.name, saving)
    await saving
  }

  async function settle(id: string, field: FormField, entry: Entry): Promise<unknown> {
    const { saving, why, answer } = await put(id, field, entry)
    const seen = answer ? (answer.fields[field.name]?.value ?? null) : entry.seen
    if (about !== id) {
      if (saving === 'unsent') void insist(id, field, entry)
      return seen
    }
    underWay.delete(field.name)
    const now = entries.get(field.name)
    if (now && now.value !== entry.value) entries.set(field.name, { ...now, seen })
    else {
      entries.set(field.name, { value: entry.value, saving, problem: why, seen })
      if (saving === 'unsent') saveIn(field, AGAIN_MS)
      if (answer) awaited.set(field.name, answer.revision ?? 0)
      arrived(order.value?.revision ?? 0)
    }
    return seen
  }

  /** To the gateway: as the field's value or, where that is refused, as unsaved input. */
  async function put(id: string, field: FormField, entry: Entry): Promise<{ saving: Saving; why: string; answer?: Order }> {
    try {
      const answer = await api.patch<Order>(`/orders/${id}/fields`, {
        fields: { [field.name]: sent(field.kind, entry.value) },
        seen: { [field.name]: entry.seen },
      })
      took(answer)
      return { saving: 'saved', why: '', answer }
    } catch (error) {
      const told = error instanceof ApiError ? error : new ApiError(0, String(error))
      if (told.status === 0 || told.status >= 500 || told.status === 429) return { saving: 'unsent', why: whyOf(error) }
      try {
        await api.put(`/orders/${id}/unsaved`, { unsaved: { [field.name]: String(entry.value) } })
      } catch {
        // It stands in the field; the next change tries again.
      }
      return { saving: 'kept', why: whyOf(error) }
    }
  }

  /** Save all that is typed; whether everything is saved. */
  async function flush(): Promise<boolean> {
    const open = [...entries].filter(([, one]) => ['waiting', 'unsent'].includes(one.saving))
    await Promise.all(open.map(([name]) => typedInto.get(name)).map((field) => field && save(field)))
    await Promise.all(underWay.values())
    return [...entries.values()].every((one) => one.saving === 'saved')
  }

  async function asked(work: () => Promise<Order>): Promise<boolean> {
    problem.value = ''
    try {
      took(await work())
      return true
    } catch (error) {
      problem.value = whyOf(error)
      return false
    }
  }

  async function submit(): Promise<boolean> {
    if (submitting.value || !about) return false
    submitting.value = true
    try {
      const id = about
      if (!(await flush()) || about !== id) return false
      return await asked(() => api.post(`/orders/${id}/submit`))
    } finally {
      submitting.value = false
    }
  }

  function markDuplicate(of: string | null): Promise<boolean> {
    return asked(() => api.post(`/orders/${about}/duplicate_of`, { order_id: of }))
  }

  /** What became of the call: told at once, with what was typed before. */
  async function choose(outcome: OutcomeChoice, id: string): Promise<boolean> {
    if (about === id) await flush()
    return asked(() => api.put(`/orders/${id}/outcome`, outcome))
  }

  function holdBack(): Promise<boolean> {
    return asked(() => api.post(`/orders/${about}/hold_back`))
  }

  /** An order that has left: open it again, give that up, or withdraw it. */
  function correct(): Promise<boolean> {
    return asked(() => api.post(`/orders/${about}/correction`))
  }
  async function giveUp(): Promise<boolean> {
    const id = about
    await flush()
    if (!(await asked(() => api.delete<Order>(`/orders/${id}/correction`)))) return false
    if (about === id) entries.clear()
    return true
  }
  function withdraw(reason: string): Promise<boolean> {
    return asked(() => api.post(`/orders/${about}/withdraw`, { reason }))
  }

  return {
    entries, submitting, problem, type, flush, submit, markDuplicate, choose, holdBack, correct, giveUp, withdraw,
  }
}

/** How sure a value is, in three steps. */
export function sureness(field: FieldValue | undefined): 'typed' | 'sure' | 'likely' | 'unsure' | 'none' {
  if (!field) return 'none'
  if (field.method === 'agent') return 'typed'
  return field.confidence >= 0.8 ? 'sure' : field.confidence >= 0.5 ? 'likely' : 'unsure'
}
