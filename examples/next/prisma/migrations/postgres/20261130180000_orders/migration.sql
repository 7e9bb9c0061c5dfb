-- CreateTable
CREATE TABLE "Order" (
    "id" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "item" TEXT NOT NULL,
    "quantity" INTEGER NOT NULL,
    "total" DECIMAL(65,30) NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'open',
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "Order_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "Order_userId_createdAt_idx" ON "Order"("userId", "createdAt");

-- What may be exported. With its column userId, an export has the rows of one user only. Prisma's decimals have 30
-- places; an amount of money has two.
CREATE VIEW "export_orders" AS
SELECT "id", "userId", "item", "quantity", "total"::numeric(12, 2) AS "total", "status", "createdAt"
FROM "Order" ORDER BY "createdAt";
