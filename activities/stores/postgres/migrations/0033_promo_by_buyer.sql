-- Promo codes that each buyer may use once.
set local row_security = on;

alter table hapax.promo_code add column once_by_buyer boolean not null default false;
comment on column hapax.promo_code.once_by_buyer is 'each buyer, known by the e-mail address, may use it once';

alter table hapax.customer_order
  add column promo_buyer text,
  add constraint promo_buyer_is_of_a_promo check (promo_buyer is null or promo is not null);
comment on column hapax.customer_order.promo_buyer is 'who uses a code that each buyer may use once: the e-mail address in lower case';

-- An order that was released has not used its code; one that was cancelled has.
create unique index promo_is_used_once_by_each_buyer on hapax.customer_order (tenant, environment, promo, promo_buyer)
  where promo_buyer is not null and state <> 'released';
