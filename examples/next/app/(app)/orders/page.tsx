import type { Metadata } from "next";
import { placeOrder } from "@/app/actions";
import { ExportOrders } from "@/components/export-orders";
import { PageBar } from "@/components/page-bar";
import { Time } from "@/components/time";
import { ordersOf } from "@/lib/orders";
import { requireUser } from "@/lib/users";

export const metadata: Metadata = { title: "Orders" };

const EUROS = new Intl.NumberFormat("en", { style: "currency", currency: "EUR" });

export default async function Page() {
  const { id } = await requireUser();
  const { orders, count } = await ordersOf(id);
  return (
    <main className="pane">
      <PageBar title="Orders" back="/" backTo="everybody" />
      <div className="cards">
        <section aria-labelledby="export">
          <h2 id="export">Export</h2>
          <p>All of your orders as a file. The worker writes it, and the bell rings when it is there.</p>
          <ExportOrders />
        </section>
        <section aria-labelledby="orders">
          <h2 id="orders">Your orders</h2>
          <p className="note">{count > orders.length ? `The last ${orders.length} of ${count}` : `${count} in all`}</p>
          <form action={placeOrder}>
            <button type="submit">Order something</button>
          </form>
          <ul className="orders">
            {orders.map(({ id, item, quantity, total, status, createdAt }) => (
              <li key={id}>
                <span className="who">
                  <strong>{item}</strong>
                  <span className="last">
                    {quantity} × · <Time at={createdAt} />
                  </span>
                </span>
                <span>
                  {EUROS.format(Number(total))}
                  <span className="last">{status}</span>
                </span>
              </li>
            ))}
          </ul>
        </section>
      </div>
    </main>
  );
}
