// @vitest-environment happy-dom
import { effectScope, nextTick, shallowRef, type ShallowRef } from 'vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { ApiError, type ApiClient } from '@/api/client.ts'
import type { FormField } from '@/api/types.ts'
import { cut } from '@/desk/evidence.ts'
import { sent, shown, sureness, useOrderForm, type OrderForm } from '@/desk/form.ts'
import { allowed, askLeave, notice } from '@/desk/notice.ts'
import { find, type Directory } from '@/desk/targets.ts'
import { forget, remember, remembered } from '@/phone/dialog.ts'
import { troubleOf, wanted } from '@/phone/microphone.ts'
import { callOf, consulted, legOf } from '@/stores/mine.ts'
import type { AgentStatus, Call, Order } from '@/stream/frames.ts'

const field = (name: string, kind: FormField['kind'] = 'text'): FormField => ({
  name, label: name, kind, required: false, choices: [],
})

describe('values of fields', () => {
  it('are shown as what an input takes, and sent as what the gateway takes', () => {
    expect(shown('list', ['噪音', '夜间'])).toBe('噪音、夜间')
    expect(shown('bool', undefined)).toBe(false)
    expect(shown('text', null)).toBe('')
    expect(sent('list', ' 噪音，夜间、')).toEqual(['噪音', '夜间'])
    expect(sent('bool', true)).toBe(true)
    expect(sent('text', ' 川姜镇 ')).toBe('川姜镇')
  })
  it('say how sure they are', () => {
    const value = { value: 'x', confidence: 0.9, method: 'rule' as const }
    expect(sureness(value)).toBe('sure')
    expect(sureness({ ...value, confidence: 0.3 })).toBe('unsure')
    expect(sureness({ ...value, confidence: 0.3, method: 'agent' })).toBe('typed')
    expect(sureness(undefined)).toBe('none')
  })
})

/** The gateway's side of the form: what was asked of it, and what it answers next. */
class Gateway {
  readonly asked: [string, string, unknown][] = []
  unsaved: Record<string, string> = {}
  refuse: ApiError | null = null
  get = async (path: string): Promise<unknown> => {
    this.asked.push(['GET', path, null])
    return { unsaved: this.unsaved }
  }
  revision = 0
  private answer = (method: string) => async (path: string, body: unknown): Promise<unknown> => {
    this.asked.push([method, path, body])
    return {}
  }
  /** The order with what was typed in it, a revision further. */
  patch = async (path: string, body: unknown): Promise<unknown> => {
    this.asked.push(['PATCH', path, body])
    if (this.refuse) throw this.refuse
    const { fields } = body as { fields: Record<string, unknown> }
    const typed = Object.entries(fields).map(([name, value]) => [name, { value, confidence: 1, method: 'agent' }])
    return { fields: Object.fromEntries(typed), revision: ++this.revision }
  }
  put = this.answer('PUT')
  post = this.answer('POST')
}

describe('the form', () => {
  const title = field('title')
  let gateway: Gateway
  let order: ShallowRef<Order | undefined>
  let form: OrderForm
  let scope: ReturnType<typeof effectScope>

  const orderWith = (value: string, id = 'o1'): Order => ({
    id, call_id: 'c1', line: '12345', state: 'draft', created_at: 1, updated_at: 1,
    fields: { title: { value, confidence: 0.9, method: 'model' } },
  })
  const open = async (): Promise<void> => {
    scope = effectScope()
    scope.run(() => {
      form = useOrderForm(gateway as unknown as ApiClient, order)
    })
    await vi.advanceTimersByTimeAsync(0)
  }
  /** The stream tells the order as it is at the gateway by now. */
  const arrive = async (value: string): Promise<void> => {
    order.value = { ...orderWith(value), revision: gateway.revision }
    await nextTick()
  }
  const patches = (): unknown[] => gateway.asked.filter(([method]) => method === 'PATCH').map(([, , body]) => body)

  /** Answers come only when they are let go, in turn. */
  const slow = (): (() => void) => {
    const waiting: (() => void)[] = []
    const quick = gateway.patch
    gateway.patch = async (path, body) => {
      const answer = await quick(path, body)
      await new Promise<void>((resolve) => waiting.push(resolve))
      return answer
    }
    return () => waiting.shift()?.()
  }

  beforeEach(() => {
    vi.useFakeTimers()
    gateway = new Gateway()
    order = shallowRef<Order | undefined>(orderWith('heard'))
  })
  afterEach(() => {
    scope.stop()
    vi.useRealTimers()
  })

  it('saves once typing pauses, and says what it had shown', async () => {
    await open()
    form.type(title, '噪')
    form.type(title, '噪音')
    order.value = orderWith('heard again')
    await vi.advanceTimersByTimeAsync(600)
    expect(patches()).toEqual([{ fields: { title: '噪音' }, seen: { title: 'heard' } }])
    // The old word does not flash up until the stream tells the new one.
    expect(form.entries.get('title')).toMatchObject({ value: '噪音', saving: 'saved' })
    await arrive('噪音')
    expect(form.entries.size).toBe(0)
  })
  it('keeps what is not valid as a draft, and shows it again after a reload', async () => {
    await open()
    gateway.refuse = new ApiError(422, 'title: too long')
    form.type(title, 'x')
    await vi.advanceTimersByTimeAsync(600)
    expect(form.entries.get('title')).toMatchObject({ value: 'x', saving: 'kept', problem: 'title: too long' })
    expect(gateway.asked.at(-1)).toEqual(['PUT', '/orders/o1/unsaved', { unsaved: { title: 'x' } }])
    scope.stop()
    gateway.unsaved = { title: 'x' }
    await open()
    expect(form.entries.get('title')).toMatchObject({ value: 'x', saving: 'kept' })
  })
  it('tries again while the gateway cannot be reached', async () => {
    await open()
    gateway.refuse = new ApiError(0, 'no answer')
    form.type(title, 'x')
    await vi.advanceTimersByTimeAsync(600)
    expect(form.entries.get('title')?.saving).toBe('unsent')
    gateway.refuse = null
    await vi.advanceTimersByTimeAsync(2100)
    expect(form.entries.get('title')?.saving).toBe('saved')
    expect(patches()).toHaveLength(2)
  })
  it('does not lose what is typed while an earlier word is on its way', async () => {
    await open()
    const letGo = slow()
    form.type(title, 'a')
    await vi.advanceTimersByTimeAsync(600)
    form.type(title, 'ab')
    // The later word waits for the earlier one, whatever the network does with requests side by side.
    await vi.advanceTimersByTimeAsync(600)
    expect(patches()).toHaveLength(1)
    letGo()
    await vi.advanceTimersByTimeAsync(0)
    expect(form.entries.get('title')?.value).toBe('ab')
    letGo()
    await vi.advanceTimersByTimeAsync(0)
    // It was typed upon the earlier one, which is nobody else's.
    expect(patches()).toEqual([
      { fields: { title: 'a' }, seen: { title: 'heard' } },
      { fields: { title: 'ab' }, seen: { title: 'a' } },
    ])
    await arrive('ab')
    expect(form.entries.size).toBe(0)
  })
  it('sends off what is just being saved', async () => {
    await open()
    const letGo = slow()
    form.type(title, 'x')
    await vi.advanceTimersByTimeAsync(600)
    expect(form.entries.get('title')?.saving).toBe('saving')
    const done = form.submit()
    await vi.advanceTimersByTimeAsync(0)
    expect(gateway.asked.some(([method]) => method === 'POST')).toBe(false)
    letGo()
    await vi.advanceTimersByTimeAsync(0)
    expect(await done).toBe(true)
    expect(gateway.asked.at(-1)?.[1]).toBe('/orders/o1/submit')
  })
  it('goes on saving to the order it was typed into, though the gateway is away and another call takes the desk', async () => {
    await open()
    gateway.refuse = new ApiError(0, 'no answer')
    form.type(title, 'late word')
    order.value = orderWith('other', 'o2')
    await nextTick()
    form.type(title, 'next word', true)
    await vi.advanceTimersByTimeAsync(600)
    gateway.refuse = null
    await vi.advanceTimersByTimeAsync(2100)
    const saved = gateway.asked.filter(([method]) => method === 'PATCH').slice(-2)
    expect(saved.map(([, path, body]) => [path, (body as { fields: unknown }).fields]).sort()).toEqual([
      ['/orders/o1/fields', { title: 'late word' }],
      ['/orders/o2/fields', { title: 'next word' }],
    ])
    expect(form.entries.get('title')).toMatchObject({ value: 'next word', saving: 'saved' })
  })
  it('saves the last word when the page is left', async () => {
    await open()
    form.type(title, 'x')
    dispatchEvent(new Event('pagehide'))
    expect(patches()).toHaveLength(1)
  })
  it('submits only what is saved, saving it first', async () => {
    await open()
    form.type(title, 'x')
    const done = form.submit()
    await vi.advanceTimersByTimeAsync(0)
    expect(await done).toBe(true)
    expect(gateway.asked.slice(-2).map(([method, path]) => [method, path])).toEqual([
      ['PATCH', '/orders/o1/fields'],
      ['POST', '/orders/o1/submit'],
    ])
    gateway.refuse = new ApiError(422, 'no')
    form.type(title, 'y')
    const refused = form.submit()
    await vi.advanceTimersByTimeAsync(0)
    expect(await refused).toBe(false)
  })
  it('saves what was typed before another call takes the desk', async () => {
    await open()
    form.type(title, 'late word')
    order.value = orderWith('other', 'o2')
    await nextTick()
    await vi.advanceTimersByTimeAsync(0)
    expect(gateway.asked.find(([method]) => method === 'PATCH')?.[1]).toBe('/orders/o1/fields')
    expect(form.entries.size).toBe(0)
  })
})

describe('evidence', () => {
  it('cuts a text at its spans', () => {
    expect(cut('我在川姜镇', [{ start: 2, end: 5 }])).toEqual([
      { text: '我在', marked: false },
      { text: '川姜镇', marked: true },
    ])
    // Characters beyond 16 bits count once, as they do where spans are made.
    expect(cut('𠮷先生', [{ start: 1, end: 3 }])[1]).toEqual({ text: '先生', marked: true })
    expect(cut('abc', [])).toEqual([{ text: 'abc', marked: false }])
    expect(cut('abc', [{ start: 1, end: 2 }, { start: 0, end: 9 }]).map((one) => one.text).join('')).toBe('abc')
  })
})

describe('my call', () => {
  const call = (id: string, more: Partial<Call> = {}): Call => ({
    id, pbx: 'main', linkedid: id, direction: 'inbound', state: 'talking', caller: {} as Call['caller'], called: '12345',
    started_at: 1, agent: '1001', ...more,
  })
  const agent = (call_id: string | null): AgentStatus => ({
    id: '1001', name: '', phone: '', state: 'talking', since: 1, call_id,
  })
  it('is the one I am on, else my newest', () => {
    const calls = [call('a'), call('b', { started_at: 5 }), call('c', { agent: '1002', started_at: 9 })]
    expect(callOf(agent('a'), '1001', calls)?.id).toBe('a')
    expect(callOf(agent(null), '1001', calls)?.id).toBe('b')
    const others = [call('d', { consults: 'a' }), call('e', { direction: 'internal' }), call('f', { merged_into: 'a' })]
    expect(callOf(agent(null), '1001', others)).toBeUndefined()
  })
  it('has one leg of mine that is not over', () => {
    const leg = { uniqueid: '1', channel: 'x', side: 'agent' as const, party: {} as never, created_at: 1, agent: '1001' }
    expect(legOf(call('a', { legs: [{ ...leg, ended_at: 2 }, { ...leg, uniqueid: '2' }] }), '1001')?.uniqueid).toBe('2')
    expect(legOf(undefined, '1001')).toBeUndefined()
  })
})

describe('a consultation', () => {
  const leg = (agent: string | null, created_at: number, bridge: string | null, channel = 'PJSIP/x'): never =>
    ({ uniqueid: String(created_at), channel, side: 'agent', party: { number: '', name: '' }, created_at, agent, bridge }) as never
  const call = (...legs: never[]): Call => ({ id: 'a', legs }) as unknown as Call
  it('is there while the one asked and the caller are in two bridges', () => {
    const asking = call(leg(null, 1, 'b1'), leg('1001', 2, 'b2'), leg('1002', 3, 'b2'))
    expect(consulted(asking, '1001')?.agent).toBe('1002')
    expect(consulted(asking, '1002')).toBeNull()
    expect(consulted(call(leg(null, 1, 'b1'), leg('1001', 2, 'b2'), leg('1002', 3, null)), '1001')?.agent).toBe('1002')
    expect(consulted(call(leg(null, 1, 'b1'), leg('1001', 2, 'b1')), '1001')).toBeNull()
    expect(consulted(call(leg(null, 1, 'b1'), leg('1001', 2, null), leg('1002', 3, null)), '1001')).toBeNull()
    expect(consulted(undefined, '1001')).toBeNull()
  })
})

describe('whom to pass a call to', () => {
  const all: Directory = {
    agents: [
      { id: '1001', name: '王芳', state: 'talking', lines: [], search: '1001 王芳 wangfang wf' },
      { id: '1002', name: '李强', state: 'available', lines: [], search: '1002 李强 liqiang lq' },
    ],
    lines: [{ id: 'yiqilai', name: '一企来', queue: 'q', waiting: 2, available: 1, search: 'yiqilai 一企来 yql' }],
    units: [{ name: '区城市管理局', phone: '051386550001', search: '051386550001 区城市管理局 qcsglj 城管局 cgj' }],
  }
  it('is found by name, pinyin, initials, line, unit or number; the free ones first', () => {
    expect(find(all, '', '').map((one) => one.name)).toEqual(['李强', '王芳', '一企来', '区城市管理局'])
    expect(find(all, 'wf', '').map((one) => one.name)).toEqual(['王芳'])
    expect(find(all, 'CGJ', '')[0]?.to).toEqual({ number: '051386550001' })
    expect(find(all, '139 6287-5016', '')[0]).toMatchObject({ kind: 'number', to: { number: '13962875016' } })
    expect(find(all, 'yiq', '')[0]?.to).toEqual({ queue: 'yiqilai' })
    expect(find(all, '', '1002').map((one) => one.name)).not.toContain('李强')
  })
})

describe('the notice of a call', () => {
  class Shown {
    static permission: NotificationPermission = 'default'
    static all: Shown[] = []
    static requestPermission = async (): Promise<void> => void (Shown.permission = 'granted')
    closed = false
    onclick: () => void = () => undefined
    readonly title: string
    readonly options: NotificationOptions
    constructor(title: string, options: NotificationOptions) {
      this.title = title
      this.options = options
      Shown.all.push(this)
    }
    close(): void {
      this.closed = true
    }
  }
  afterEach(() => vi.unstubAllGlobals())

  it('is shown where the page is not seen and the person allows it, and goes when it rings no more', async () => {
    vi.stubGlobal('Notification', Shown)
    vi.stubGlobal('isSecureContext', true)
    const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(true)
    notice('☎ 1', '12345')
    expect(Shown.all).toEqual([])
    expect(await askLeave()).toBe('granted')
    const takeAway = notice('☎ 13900000000', '一企来')
    expect(Shown.all[0]).toMatchObject({ title: '☎ 13900000000', options: { body: '一企来' }, closed: false })
    takeAway()
    expect(Shown.all[0]?.closed).toBe(true)
    hidden.mockReturnValue(false)
    notice('☎ 2', '12345')
    expect(Shown.all).toHaveLength(1)
  })
  it('is none over http', () => {
    vi.stubGlobal('Notification', Shown)
    vi.stubGlobal('isSecureContext', false)
    expect(allowed()).toBe('unsupported')
  })
})

describe('the microphone', () => {
  it('says what to fix where it cannot be had', () => {
    const named = (name: string): Error => Object.assign(new Error('…'), { name })
    expect(troubleOf(named('NotAllowedError'), true)).toBe('denied')
    expect(troubleOf(named('NotFoundError'), true)).toBe('missing')
    expect(troubleOf(named('NotReadableError'), true)).toBe('taken')
    expect(troubleOf(named('TypeError'), true)).toBe('other')
    // Over http there is no `navigator.mediaDevices`: what fails then is a TypeError.
    expect(troubleOf(named('TypeError'), false)).toBe('insecure')
  })
  it('that was chosen and unplugged does not keep another from being used', () => {
    expect(wanted('headset')).toEqual({ deviceId: { ideal: 'headset' } })
    expect(wanted('')).toEqual({})
  })
})

describe('the dialogue of a call', () => {
  it('is kept over a reload, but not for ever', () => {
    const dialog = { callId: 'a', ourTag: 'b', theirTag: 'c' }
    remember(dialog)
    expect(remembered()).toEqual(dialog)
    expect(remembered(sessionStorage, Date.now() + 61_000)).toBeNull()
    forget()
    expect(remembered()).toBeNull()
    sessionStorage.setItem('hotline.dialog', '{')
    expect(remembered()).toBeNull()
  })
})
