// The browser phone: one SIP registration and at most one call, over JsSIP. Knows nothing of the page.

import { UA, WebSocketInterface } from 'jssip'
import type { RTCSession } from 'jssip/lib/RTCSession'
import type { RTCSessionEvent } from 'jssip/lib/UA'

import { remember, remembered, forget, type DialogId } from './dialog.ts'
import { wanted } from './microphone.ts'

/** GET /softphone */
export interface Registration {
  readonly username: string
  readonly password: string
  readonly domain: string
  readonly websocket: string
  readonly display_name: string
  readonly ice_servers: readonly IceServer[]
  /** Seconds after which the TURN credentials end; `null`: there are none. */
  readonly ice_lasts_s: number | null
}

export interface IceServer {
  readonly urls: readonly string[]
  readonly username?: string
  readonly credential?: string
}

/** `busy`: another tab of this browser has the phone. */
export type LineState = 'off' | 'busy' | 'connecting' | 'registered' | 'lost' | 'refused'
export type CallState = 'ringing' | 'connecting' | 'talking'

export interface PhoneCall {
  readonly state: CallState
  readonly number: string
  readonly name: string
}

export interface PhoneEvents {
  readonly onLine: (state: LineState, reason: string) => void
  readonly onCall: (call: PhoneCall | null) => void
  /** What the other side says; `null`: nothing any more. */
  readonly onSound: (stream: MediaStream | null) => void
  /** The microphone could not be had. */
  readonly onMicrophone: (error: Error) => void
}

/** What JsSIP's requests have, though its types do not say so. */
interface Tagged {
  readonly call_id: string
  readonly from_tag: string
  readonly to_tag: string
}

/** Candidates of the own network come at once; a server that does not answer must not delay the call. */
const GATHER_MS = 500
const EXPIRES_S = 120

export class Softphone {
  private readonly ua: UA
  private readonly registration: Registration
  private readonly events: PhoneEvents
  private session: RTCSession | null = null
  private stopped = false
  /** For the next call. */
  iceServers: readonly IceServer[]
  /** Which microphone; empty: the browser's choice. */
  microphone = ''
  /** Whether the next call that comes in is our own doing (click-to-call): it is answered at once. */
  answerNext: () => boolean = () => false

  constructor(registration: Registration, events: PhoneEvents) {
    this.registration = registration
    this.events = events
    this.iceServers = registration.ice_servers
    this.ua = new UA({
      sockets: [new WebSocketInterface(registration.websocket)],
      uri: `sip:${registration.username}@${registration.domain}`,
      password: registration.password,
      display_name: registration.display_name,
      register: true,
      register_expires: EXPIRES_S,
      session_timers: false,
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 10,
      user_agent: 'hotline-desk',
    })
    this.ua.on('connecting', () => this.events.onLine('connecting', ''))
    this.ua.on('disconnected', () => !this.stopped && this.events.onLine('lost', ''))
    this.ua.on('registered', () => {
      this.events.onLine('registered', '')
      this.takeBack()
    })
    this.ua.on('registrationFailed', (event) => {
      this.events.onLine(event.response ? 'refused' : 'lost', event.cause ?? '')
    })
    this.ua.on('newRTCSession', (event: RTCSessionEvent) => this.arrived(event))
  }

  start(): void {
    this.events.onLine('connecting', '')
    this.ua.start()
  }

  /** Unregister and end the call. */
  stop(): void {
    this.stopped = true
    forget()
    this.ua.stop()
    this.events.onLine('off', '')
  }

  answer(): void {
    const session = this.session
    if (session === null || session.direction !== 'incoming' || session.isEstablished()) return
    this.events.onCall(this.shown(session, 'connecting'))
    session.answer(this.media())
  }

  hangUp(): void {
    if (this.session !== null && !this.session.isEnded()) this.session.terminate()
  }

  tone(key: string): void {
    if (this.session?.isEstablished()) this.session.sendDTMF(key, { transportType: 'RFC2833' as never })
  }

  private media(): { mediaConstraints: MediaStreamConstraints; pcConfig: RTCConfiguration } {
    return {
      mediaConstraints: {
        audio: {
          echoCancellation: true,
          noiseSuppression: true,
          autoGainControl: true,
          ...wanted(this.microphone),
        },
        video: false,
      },
      pcConfig: { iceServers: this.iceServers.map((one) => ({ ...one, urls: [...one.urls] })) },
    }
  }

  /** After a reload the old leg still stands in the PBX: ask to be put in its place (RFC 3891). */
  private takeBack(): void {
    const dialog = remembered()
    if (dialog === null || this.session !== null) return
    forget()
    this.ua.call(`sip:take-back@${this.registration.domain}`, {
      ...this.media(),
      extraHeaders: [`Replaces: ${dialog.callId};to-tag=${dialog.theirTag};from-tag=${dialog.ourTag}`],
    })
  }

  private arrived({ session, request }: RTCSessionEvent): void {
    if (this.session !== null) {
      if (session.direction === 'incoming') session.terminate({ status_code: 486 })
      return
    }
    this.session = session
    const listen = (connection: RTCPeerConnection): void => {
      connection.addEventListener('track', (event) => this.events.onSound(event.streams[0] ?? new MediaStream([event.track])))
      connection.addEventListener('iceconnectionstatechange', () => {
        // The PBX hung up, but its BYE found no way to us.
        if (connection.iceConnectionState === 'failed' && !session.isEnded()) session.terminate()
      })
    }
    if (session.direction === 'outgoing') listen(session.connection as RTCPeerConnection)
    session.on('peerconnection', (event) => listen(event.peerconnection as RTCPeerConnection))
    let gathering: ReturnType<typeof setTimeout> | null = null
    session.on('icecandidate', (event) => (gathering ??= setTimeout(event.ready, GATHER_MS)))
    session.on('getusermediafailed', (error: Error) => this.events.onMicrophone(error))
    session.on('accepted', (event: { response?: unknown }) => {
      const asked = request as unknown as Tagged
      const theirTag = (event.response as Tagged | undefined)?.to_tag ?? ''
      const dialog: DialogId =
        session.direction === 'incoming'
          ? { callId: asked.call_id, ourTag: asked.to_tag, theirTag: asked.from_tag }
          : { callId: asked.call_id, ourTag: asked.from_tag, theirTag }
      remember(dialog)
      this.events.onCall(this.shown(session, 'talking'))
    })
    const over = (): void => {
      forget()
      this.session = null
      this.events.onSound(null)
      this.events.onCall(null)
    }
    session.on('ended', over)
    session.on('failed', over)
    this.events.onCall(this.shown(session, session.direction === 'incoming' ? 'ringing' : 'connecting'))
    if (session.direction === 'incoming' && this.answerNext()) this.answer()
  }

  private shown(session: RTCSession, state: CallState): PhoneCall {
    const { uri, display_name } = session.remote_identity
    return { state, number: uri.user ?? '', name: display_name ?? '' }
  }
}
