/** The channels of one open connection, by number (1.5). */

import { Channel, type ChannelOptions } from "./channel.ts";
import { AmqpException } from "./exceptions.ts";
import { type Frame, FrameType, methodFrame } from "./frames.ts";
import { decodeMethod, METHODS } from "./methods.ts";

export interface ChannelsOptions extends Omit<ChannelOptions, "number" | "closed"> {
  readonly channelMax: number;
  /** A channel was closed for what its client did. */
  readonly refused: (exception: AmqpException) => void;
}

export class Channels {
  readonly #options: ChannelsOptions;
  readonly #channels = new Map<number, Channel>();

  constructor(options: ChannelsOptions) {
    this.#options = options;
  }

  /**
   * Takes a frame of a channel other than 0. Resolves once the connection may be read on.
   * @throws {AmqpException} for what ends the connection; what ends the channel is dealt with.
   */
  accept(frame: Frame): Promise<void> | undefined {
    if (isConnectionMethod(frame)) {
      // §4.2.3: class connection is at home on channel 0
      throw new AmqpException("COMMAND_INVALID", "a connection method on another channel than 0");
    }
    const channel = this.#channels.get(frame.channel);
    if (channel === undefined) return this.#open(frame);
    try {
      return channel.accept(frame);
    } catch (error) {
      if (!(error instanceof AmqpException) || error.hard) throw error;
      channel.close(error);
      this.#options.refused(error);
      return undefined;
    }
  }

  #open(frame: Frame): undefined {
    const method = frame.type === FrameType.METHOD ? decodeMethod(frame.payload) : undefined;
    if (method instanceof AmqpException) throw method;
    if (method?.name === "channel.close-ok") return; // an answer to what is closed already
    const { channel: number } = frame;
    if (method?.name !== "channel.open") {
      throw new AmqpException("CHANNEL_ERROR", `channel ${number} is not open`);
    }
    if (number > this.#options.channelMax) {
      const { channelMax } = this.#options;
      throw new AmqpException("CHANNEL_ERROR", `channel ${number} where ${channelMax} is the last`);
    }
    const closed = () => this.#channels.delete(number);
    this.#channels.set(number, new Channel({ ...this.#options, number, closed }));
    this.#options.outbox.push(methodFrame(number, "channel.open-ok", { reserved1: NOTHING }));
  }

  /** Delivers what can be delivered now. */
  pump(): void {
    for (const channel of this.#channels.values()) channel.pump();
  }

  /** The connection is over: nothing is given back to a channel that is to go as well. */
  end(): void {
    for (const channel of this.#channels.values()) channel.stop();
    for (const channel of this.#channels.values()) channel.end();
    this.#channels.clear();
  }
}

const NOTHING = new Uint8Array();

function isConnectionMethod({ type, payload }: Frame): boolean {
  const { classId } = METHODS["connection.open"];
  return type === FrameType.METHOD && payload[0] === 0 && payload[1] === classId;
}
