import type { Gateway } from '../../client/gateway.ts';
import { seatTable } from '../flows/booking/seat-steps.ts';
import { type AnyBooking, Booking } from './booking.ts';
import { FaultyLedger } from './faulty-ledger.ts';
import type { Ground } from './global-setup.ts';
import { type OwnFlows, ownFlows } from './own-flows.ts';
import { TicketOffice } from './ticket-office.ts';
import { World } from './world.ts';

/** A world that books seats. It has a table of seats, and a worker whose connection to the ledger a test can cut. */
export class Bookings {
  readonly world: World;
  readonly ledger = new FaultyLedger();
  readonly #all: Booking[] = [];
  #flows!: OwnFlows;

  private constructor(world: World) {
    this.world = world;
  }

  static async open(ground: Ground): Promise<Bookings> {
    const bookings = new Bookings(await World.create(ground, { workers: 0, doors: 0 }));
    await bookings.world.sql(seatTable);
    bookings.#flows = await ownFlows(bookings.world, (own) => ({
      ...own,
      database: bookings.ledger.around(own.database),
    }));
    return bookings;
  }

  /** One booking of a seat of its own, at an office of its own. */
  async book(flow: AnyBooking, name: string, paymentMethod = 'pm_card_visa'): Promise<Booking> {
    const key = name.replaceAll(/[^A-Za-z0-9]+/g, '-');
    const office = await TicketOffice.open();
    const { world, ledger } = this;
    const request = { seat: `seat-${key}`, paymentMethod, office: office.url };
    const booking = new Booking({ world, ledger, gateway: this.#flows.gateway, flow, key, office, request });
    this.#all.push(booking);
    return booking;
  }

  /** Makes the seat of a booking before the booking asks for it. */
  async seat({ seat }: Booking, { state = 'free', price = 4200 }): Promise<void> {
    await this.world.sql(
      'insert into booking.seat (tenant, name, state, price_minor) values ($1, $2, $3, $4)',
      this.world.tenants.alpha,
      seat,
      state,
      price,
    );
  }

  get gateway(): Gateway {
    return this.#flows.gateway;
  }

  async stopWorker(): Promise<void> {
    await this.#flows.stopWorker();
  }

  async startWorker(): Promise<void> {
    await this.#flows.startWorker();
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map(({ office }) => office.close()));
    await this.#flows.close();
    await this.world.close();
  }
}
