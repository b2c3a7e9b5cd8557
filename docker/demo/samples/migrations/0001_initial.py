from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Sale",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("till", models.CharField(max_length=20)),
                ("amount", models.DecimalField(decimal_places=2, max_digits=8)),
            ],
        ),
    ]
